#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H
/* Every limit and interval of the program: its unit, and why it is what it is. */

/* Memory of the C library's own, bytes. */
#define HEAP_BYTES 131072 /* a user's groups, line by line; the addresses of a name */

/* Paths and names, bytes. */
#define PATH_LEN_MAX 1024    /* a path of ours: runtime path, "events", day, node, file */
#define RUNTIME_PATH_MAX 512 /* leaves room for the longest name below it */
#define NAME_MAX_BYTES 128   /* a node, service, type, source or id in an event */
#define FILE_NAME_MAX 255    /* what Linux file systems allow */
#define ACTION_ID_MAX 200    /* a file name with room for suffixes and claims */
#define ACTION_ID_CUT 191    /* 200 less '-' and 8 hexadecimal digits */

/* Events. */
#define EVENT_BYTES_MAX 65536  /* one event, as a file or a line */
#define EVENT_DEPTH_MAX 16     /* nesting of its JSON */
#define EVENT_MESSAGE_MAX 1024 /* bytes of its message that we keep */
#define EVENT_DETAILS_MAX 2048 /* bytes of its details that we keep */
#define EVENT_TIMESTAMP_MAX 63 /* bytes of its time's own text; what is longer is written anew */
#define CORRELATION_MAX 192    /* bytes; one made from "node/file:offset" is shortened by hash */
#define EVENT_AGE_FLOOR_MS INT64_C(1577836800000)      /* 2020-01-01: an older stamp is no clock */
#define EVENT_AHEAD_MAX_MS (24 * 3600 * INT64_C(1000)) /* so far ahead is no clock either */

/* JSON: the smallest value and its separator take two bytes, so this many tokens always do. */
#define JSON_TOKENS_MAX (EVENT_BYTES_MAX / 2 + 2)

/* Proposals and actions, bytes. */
#define PROPOSAL_REASON_MAX 1000
#define PROPOSAL_BYTES_MAX 8192 /* the object in a model's answer */
#define ACTION_BYTES_MAX 65536  /* an action file that we read; what we write is far below */
#define NOTE_MAX 500            /* the operator's note */

/* Action files of others. */
#define ACTION_DEPTH_MAX 32 /* of its JSON: an event's details lie two levels deeper */
#define ACTION_TIME_MAX_S INT64_C(253402300799) /* the end of year 9999: later is no time */

/* Audit events that a killed planner owes. */
#define AUDIT_MEND_S (24 * 3600) /* a disk may have been full for hours before it was killed */
#define AUDITS_MENDED_MAX 64     /* a pass: each is synced, and many more are not owed in truth */

/* The planner's tables, entries. */
#define COOLDOWNS_MAX 1024
#define COOLDOWN_KEYS_BYTES 49152 /* of all their keys: 48 each; real ones have 10 to 40 */
#define QUEUE_MAX 768             /* keys with work open at once, */
#define QUEUE_DURABLE_MAX                                                                          \
    512              /* for what can be read again: messages find a slot beside a backlog */
#define WORK_MAX 896 /* the queue, and events that wait behind one of their key */
/* The events of this work, in blocks as their texts need them: a real one has four to fifteen, the
 * largest 134. What can be read again leaves some for what cannot. */
#define EVENT_BLOCK_BYTES 30 /* and two for the next one's number */
#define EVENT_BLOCKS_MAX 8192
#define EVENT_BLOCKS_DURABLE_MAX 6144 /* 512 keys of 350 bytes */
#define DEPLOYMENTS_MAX 128
#define DEPLOYMENT_KEYS_BYTES 8192 /* of all their keys, 64 each */
#define RECOVERIES_MAX 2048
#define DECISIONS_KEPT 20 /* in the status file */

/* Waits, milliseconds. */
#define RETRY_FIRST_MS 30000           /* chain failed: wait this long, */
#define RETRY_LAST_MS (15 * 60 * 1000) /* doubling to this */
#define DEPLOYMENT_HOLD_MS (10 * 60 * 1000)
#define DEPLOYMENT_MEMORY_MS (60 * 60 * 1000) /* a fault inside one is read so late, not later */
#define RECOVERY_MEMORY_MS (10 * 60 * 1000)   /* a batch of files is read in any order */
#define WRITE_RETRY_MS 10000                  /* a full disk is seldom empty sooner */

/* File events. */
#define SCAN_PERIOD_MS 20000   /* three turns a minute where inotify tells nothing */
#define SCAN_LOAD_FACTOR 50    /* a scan that takes long is repeated more seldom: 2 % of time */
#define SCAN_SLICE_ENTRIES 256 /* directory entries a loop turn */
#define SCAN_OVERLAP_MS 5000   /* clocks of file systems are coarse */
#define SETTLE_MS 5000         /* a file that did not change for so long is complete */
#define CLOCK_STEP_MS 5000     /* the wall clock was set, not slewed */
#define SEEN_MAX 131072        /* files remembered by device, inode, ctime; 20 bytes each */
#define SEEN_KEPT_MS (60 * 60 * 1000) /* beyond need: the clock may be set back by so much */
/* After the clock was set back: files so far ahead of it are remembered as seen, and the clocks of
 * file systems may be so far ahead of it. */
#define KNOWN_AHEAD_MS (60 * 60 * 1000)
#define KNOWN_MARGIN_MS (2 * 60 * 1000)
#define DIRS_MAX 8192          /* node directories known, to tell new ones; 20 bytes each */
#define RECENT_MAX 256         /* files a writer may still be touching; 24 bytes each */
#define FILE_REFS_MAX 1024     /* unfinished file events; more wait in their files */
#define UNREAD_REFS_MAX 256    /* of them for what could not be read; more hold the mark back */
#define RETRY_SCAN_MS 1000     /* from the end of a scan to the next for what found no slot */
#define WATCHES_MAX 1024       /* directories watched by inotify; more are rescanned */
#define LOGS_MAX 256           /* events.jsonl files followed, rotated ones too */
#define LOG_HEAD_MIN 32        /* bytes at the start of a log that tell a copy of it, at least, */
#define LOG_HEAD_MAX 256       /* and at most */
#define LOG_TAIL_MAX 64        /* bytes before the offset that tell whether it is the same log */
#define PROGRESS_LINE_MAX 4096 /* bytes of a line of saved progress */

/* State. */
#define STATE_SAVE_SOON_MS 1000  /* after a decision, or news for the status; */
#define STATE_SAVE_LAZY_MS 60000 /* no file more often, and so long after anything else */
#define STATE_LINE_MAX 65536     /* bytes of a line in a state file */

/* The status file, read while it is written: a write takes microseconds. */
#define STATUS_DEPTH_MAX 16 /* nesting of its JSON */
#define STATUS_READ_TRIES 50
#define STATUS_READ_PAUSE_MS 2

/* Configuration, bytes. */
#define CONFIG_FILE_MAX 65536    /* an env-file; ours have a kilobyte or two */
#define CONFIG_TEXT_MAX 49152    /* all values together: the alias map may be the largest */
#define CONFIG_KEY_FILE_MAX 1024 /* a file with a key in it */
#define CONFIG_LINE_MAX 512      /* an error or warning about it; values are cut to fit */
#define CONFIG_VALUE_SHOWN 96    /* of a bad value */

/* The ring of decisions: of these outcomes only the last few are kept, so that a flood of them does
 * not wash out what people look for. */
#define DECISIONS_QUIET_KEPT 5

/* The supervisor: how long a message of ours may wait for it, less than a second; and bytes of one.
 */
#define SUPERVISOR_WAIT_MS 500
#define SUPERVISOR_PERIOD_MIN_MS 200 /* of the watchdog: a shorter one would keep us busy */
#define SUPERVISOR_STATUS_MAX 160

/* The commands. */
#define PENDING_LISTED_MAX 2048 /* a home lab's operator has stopped reading long before */

/* The lock of the count of paid calls, which the loop waits for: a tenth of a second in all. */
#define BUDGET_LOCK_PAUSE_MS 10
#define BUDGET_LOCK_TRIES 10
#define BUDGET_CALLS_MAX 1000000 /* a day, the most that may be allowed */

/* The world, as the observer has it. */
#define WORLD_BYTES_MAX 131072 /* of a file of its: two hundred services have half of it */
#define WORLD_DEPTH_MAX 16
#define WORLD_SERVICE_MAX 768   /* bytes of a service's entry that a model is shown */
#define WORLD_INCIDENTS_MAX 768 /* bytes of its active incidents */

/* The prompt, bytes: with all of it a model gets less than about 2,000 tokens. */
#define PROMPT_EVENT_MAX 4096    /* the event as JSON */
#define PROMPT_USER_MAX 16384    /* the event, the world and the words around them */
#define PROMPT_MASKED_MAX 32768  /* the same masked: a mask may be longer than what it hides */
#define PROMPT_TOPOLOGY_MAX 1024 /* of TOPOLOGY_FILE */
#define PROMPT_SYSTEM_MAX 4096   /* the instructions, with the topology */

#define ROUTE_INPUT_MAX 65536 /* bytes of a conversation on stdin */
#define PROBE_LIMIT_MS 10000  /* for a server to say that it is alive */

/* The lock of the operator's commands: a verdict takes milliseconds; five seconds in all. */
#define LOCK_PAUSE_MS 20
#define LOCK_TRIES 250

/* Logs, bytes. */
#define LOG_FIELD_MAX 1024
#define LOG_LINE_MAX 4096
#define LOG_WAIT_MS                                                                                \
    200 /* a burst fills a pipe faster than its reader reads; then lines are dropped */

/* The loop. */
#define LOOP_WATCHES_MAX 40
#define LOOP_TIMERS_MAX 96
#define LOOP_WAIT_MAX_MS 30000 /* poll(2) does not count the time of a suspend, deadlines do */

/* The chain. */
#define CHAIN_HOPS_MAX 8
#define ASKS_MAX 8 /* calls at once: the most that LLM_CONCURRENCY may ask for */
/* Each hop held by its breaker, then each asked, with a retry; and one more, whose model was
 * warmed. */
#define LLM_ATTEMPTS_MAX 26
#define LLM_MESSAGES_MAX 16     /* of a conversation given to `route` */
#define LLM_REQUEST_MAX 98304   /* bytes of a request: a masked prompt, escaped, and the schema */
#define LLM_HEADERS_MAX 1024    /* bytes: a key of 512 and what goes with it */
#define LLM_PATH_MAX 319        /* bytes: a model's name, escaped, and what goes before it */
#define LLM_ANSWER_DEPTH_MAX 16 /* nesting of the JSON that a provider answers */
#define LLM_ANSWER_TOKENS_MAX 8192 /* of its values: a list of models has ten to thirty a model */
#define LLM_VERSION_SHOWN 32       /* bytes of what a server says its version is */
#define REPLY_DEPTH_MAX 16         /* nesting of the object in a model's text */
#define OLLAMA_PULL_MS (5 * 60 * 1000) /* a model that is not there: pulling one takes minutes */
#define RETRY_PAUSE_MIN_MS 500         /* before the one retry of a hop, with jitter, */
#define RETRY_PAUSE_MAX_MS 8000        /* and at most */
#define RETRY_REST_MS 1000 /* of the hop's limit, for the retry itself: less is no use */
#define CALL_GRACE_MS 250  /* a call ends by itself at its deadline; later it is ended */
#define BREAKER_FAILURES 3
#define BREAKER_FIRST_MS 30000
#define BREAKER_LAST_MS (15 * 60 * 1000)
#define BREAKER_NAMED_MAX_MS (24 * 3600 * 1000) /* a server may ask for no more */
#define BREAKER_OPERATOR_MS (6 * 3600 * 1000)   /* a bad key does not get better by itself */
#define WARMUPS_MAX 2                 /* models being loaded at once: a home lab has few */
#define RESIDENT_LIMIT_MS 1000        /* for saying which models are loaded */
#define WARM_LIMIT_MS (5 * 60 * 1000) /* for loading one, from a slow disk */

/* HTTP. */
#define HTTP_BODY_MAX 65536        /* bytes of an answer: a thousand tokens in JSON are a tenth */
#define HTTP_HEAD_MAX 32768        /* bytes of its head, trailers and chunk extensions together */
#define HTTP_LINE_MAX 8192         /* bytes of a line of them */
#define HTTP_HEADERS_MAX 128       /* headers and trailers, those of interim responses too */
#define HTTP_INTERIM_MAX 8         /* 1xx responses before the answer */
#define HTTP_VALUE_MAX 63          /* bytes of a header's value that we keep */
#define HTTP_REQUEST_HEAD_MAX 4096 /* bytes: path, host and LLM_HEADERS_MAX */
#define HTTP_CONNS_MAX 12          /* ASKS_MAX, the warm-ups, and one to spare */
#define HTTP_IDLE_MS 60000         /* an unused connection is closed after so long */

/* Connections. */
#define URL_HOST_MAX 253                  /* RFC 1035 */
#define URL_PATH_MAX 255                  /* bytes of a base URL's path */
#define URL_SOCKET_MAX 107                /* bytes of a socket's path: what unix(7) has room for */
#define TLS_OUTPUT_BYTES 4096             /* a record of ours; a request goes out in several */
#define TLS_SESSIONS_MAX 4                /* remembered for resumption, */
#define TLS_SESSION_MS (24 * 3600 * 1000) /* and so long: RFC 5246, F.1.4 */
#define TLS_TURNS_MAX 64                  /* reads and writes at once: a peer that floods waits */
#define TLS_HANDSHAKE_TURNS_MAX 16 /* the same before it is open: signatures cost milliseconds */
#define TLS_CHAIN_MAX 8            /* certificates that a server may show; usual are two to four, */
#define TLS_CERT_BYTES_MAX 16384   /* and bytes of one */
#define TLS_EXPONENT_BYTES_MAX 4   /* of an RSA key: 65537 has three */
#define TLS_ROOTS_MAX 512          /* trust anchors, built-in ones and those of a bundle */
#define TLS_ROOT_FILE_MAX 1048576  /* bytes of a bundle: Debian's has 220 KB */
#define TLS_ROOT_BYTES 65536       /* its roots that are not built in: 36 KB of Debian's */
#define TLS_RSA_BYTES_MIN 256      /* of a modulus: 2048 bits, the least that is safe, */
#define TLS_RSA_BYTES_MAX 512      /* and 4096 bits, the most that BearSSL has room for */
#define CONN_TRY_MS 2000           /* an address that does not answer so long is passed over */
#define RESOLVE_NAMES_MAX 8        /* names remembered: a chain has a few */
#define RESOLVE_ADDRESSES_MAX 8    /* of a name */
#define RESOLVE_LIMIT_MS 5000      /* a look-up; the C library asks twice in that time */
#define LOOKUP_MORE_MS 1000        /* of it for IPv6 addresses, where there are IPv4 ones */
#define RESOLVE_KNOWN_LIMIT_MS 1800 /* with a last good answer at hand (RFC 8767, section 5) */
#define RESOLVE_RETRY_MS 60000      /* so long it serves, when the resolver gave none */
#define RESOLVE_FRESH_MS                                                                           \
    (5 * 60 * 1000)             /* getaddrinfo(3) tells no lifetime; what home labs use            \
                                 */
#define CHILDREN_MAX 16         /* look-ups at once: HTTP_CONNS_MAX, and some that die slowly */
#define CHILD_REAP_SOON_MS 10   /* a killed process is gone by then */
#define CHILD_REAP_LATE_MS 1000 /* if not, a disk hangs */
#define CHILD_FDS_MAX 1024      /* closed one by one, on a kernel without close_range(2) */

/* Redis. */
#define REDIS_CONNECTIONS_MAX 3         /* events, commands, stream */
#define REDIS_MEMORY_MAX 4194304        /* bytes for hiredis, a connection: a reply of the most */
#define REDIS_OUTPUT_MAX 262144         /* bytes that wait to be sent, a connection */
#define REDIS_CALLS_MAX 512             /* commands without an answer, a connection */
#define REDIS_KEPT_BYTES 98304          /* of these for claims: 32 KiB, behind a command of 64, */
#define REDIS_KEPT_CALLS 64             /* and of those */
#define REDIS_HIDDEN_MIN 8              /* bytes of a password that is looked for in replies */
#define REDIS_ARGS_MAX 160              /* arguments of a command: XACK of 128 entries and more */
#define REDIS_CONNECT_MS 3000           /* for name, address, TLS and log-in */
#define REDIS_ANSWER_MS 3000            /* an LTE round trip is no outage */
#define REDIS_QUIET_MS 15000            /* then PING, */
#define REDIS_PONG_MS 5000              /* which is answered within this */
#define REDIS_RETRY_FIRST_MS 100        /* the cap of the first wait, doubling */
#define REDIS_RETRY_LAST_MS 30000       /* to this */
#define REDIS_STEADY_MS 5000            /* READY for so long: the first wait again */
#define REDIS_REFUSED_MS 60000          /* a wrong password does not get better by itself */
#define REDIS_READS_MAX 16              /* reads of 16 KiB a turn of the loop: others wait, too */
#define RESP_LINE_MAX 1024              /* bytes: errors of scripts are long */
#define RESP_DEPTH_MAX 5                /* XREADGROUP: streams, stream, entries, entry, fields */
#define RESP_ELEMENTS_MAX 8192          /* 64 entries of 60 fields, and what is around them */
#define RESP_BULK_MAX EVENT_BYTES_MAX   /* what is larger is no event */
#define RESP_REPLY_MAX 262144           /* bytes of the strings of one reply */
#define RESP_PASSED_MAX (512 * 1048576) /* the most that a Redis string has */
#define REDIS_PUBSUB_WARN_MS (3600 * 1000) /* one warning an hour that a channel is silent */
#define STREAMS_MAX 8                      /* names in REDIS_STREAM */
#define STREAM_NAME_MAX 128                /* bytes of one */
#define STREAM_ENTRIES_MAX 4096            /* unfinished entries; more wait in Redis */
#define STREAM_READ_MAX 64                 /* entries a read */
#define STREAM_BLOCK_MS 10000              /* a read waits this long for new ones */
#define STREAM_RENEW_MS (3 * 60 * 1000)    /* what is held is claimed anew, */
#define STREAM_IDLE_MS (10 * 60 * 1000)    /* what was not, is taken over, */
#define STREAM_TAKE_OVER_MS (60 * 1000)    /* where a look so often finds it */
#define STREAM_DELIVERIES_MAX 100          /* more: it never ends, and goes to the dead stream */
#define STREAM_DEAD_MAX 10000              /* entries of a dead stream, about */
#define STREAM_RETRY_MS 5000               /* after an error that a read got */
#define SHARED_QUESTIONS_MAX 32            /* claims without an answer, cancelled ones too */
#define SHARED_BEFORE_MAX 16               /* dones that claims took the place of */
#define SHARED_MARGIN_MS 15000             /* of a claim, beyond what the chain may take */
#define SHARED_WAIT_MS (10 * 60 * 1000)    /* the most that another's claim is waited for */
#define CLAIM_LOOK_MS 5000                 /* another's claim is looked at so often, at least; */
#define CLAIM_LATE_MIN_MS 50               /* when it is over, we look so much later, */
#define CLAIM_LATE_MAX_MS 500              /* and at most, so that planners do not look in step */
#define SHARED_EVENT_MS (24 * 3600 * 1000) /* an event's identity is known so long */
#define OUTBOX_ACTIONS_MAX 10000           /* entries of ACTIONS_STREAM, about */
#define OUTBOX_RETRY_MS 30000              /* after the server refused one */
#define OUTBOX_SLICE 16                    /* action files a turn of the loop */
#define OUTBOX_PAUSE_MS 20                 /* between two of these turns */
#define BUS_STATUS_MS 60000                /* planner:status:<node> is written so often, */
#define BUS_STATUS_TTL_MS 180000           /* and lasts so long */
#define BUS_METRICS_MAX 32768              /* bytes of a message on llm_router_metrics */
#define BUS_FAREWELL_MS 500                /* at the end, for what is being sent */
#define SEEN_IDENTITIES_MAX 1024           /* events with an id that have ended lately */
#define WORK_IDENTITIES_MAX 8              /* of a piece of work: its leader and who joined last */
#define HELD_REFS_MAX (STREAM_ENTRIES_MAX + FILE_REFS_MAX) /* handles of unfinished events */

#endif
