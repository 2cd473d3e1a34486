#ifndef LOOPBACK_H
#define LOOPBACK_H
/* The loopback device delivers at once, but for a busy machine, where the kernel may do it a little
 * later: what was sent is then not there in a turn of the loop that waits for nothing. */

/* Returns when all that this process has sent to itself so far has arrived: what one packet sets
 * off, as in a handshake, takes another call. From the first one on the process stays on its CPU,
 * whose packets are delivered in their order. */
void loopback_settle(void);

#endif
