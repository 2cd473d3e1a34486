#include "cmd/service.h"

#include "cmd/commands.h"
#include "cmd/print.h"
#include "cmd/service_install.h"
#include "cmd/service_text.h"

#include "base/log.h"
#include "base/number.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define COPIED_TO "/usr/local/bin/planner-agent"

/* Where it stays, where it is meant to be: /home and /tmp are neither for services nor for long. */
static bool is_in_place(const char *path)
{
    return strncmp(path, "/usr/", 5) == 0 || strncmp(path, "/opt/", 5) == 0;
}

static int find_binary(struct service *s, const char *told, bool in_place)
{
    static char path[PATH_LEN_MAX];

    s->fact[SERVICE_BINARY] = told != NULL ? told : path;
    if (told != NULL)
        return 0;
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n <= 0)
        return command_fail(s->self, EX_UNAVAILABLE, "which binary is this? --binary says it",
                            log_errno(errno));
    if (in_place && (s->root[0] != '\0' || !is_in_place(path))) {
        s->copy = true;
        s->fact[SERVICE_BINARY] = COPIED_TO;
    }
    return 0;
}

/* The owner of actions/pending, or else of the tree; where there is none, the first user that
 * people have. */
static void find_owner(struct service *s, uid_t *uid)
{
    struct stat st = {.st_uid = 1000, .st_gid = 1000};
    int dir = tree_open(&s->tree, ".");

    s->has_tree = dir >= 0;
    if (s->has_tree && fstatat(dir, "actions/pending", &st, 0) != 0)
        (void)fstat(dir, &st);
    tree_close(dir);
    *uid = st.st_uid;
    s->gid = st.st_gid;
}

static void set_number(struct service *s, enum service_fact fact, unsigned number, char text[16])
{
    struct buf b;

    buf_init(&b, text, 16);
    buf_int(&b, number);
    s->fact[fact] = buf_text(&b);
}

static int find_user(struct service *s, const char *told)
{
    static char texts[2][16];
    const struct passwd *user = NULL;
    int64_t number;
    uid_t uid;

    find_owner(s, &uid);
    if (told != NULL && number_int(span_of(told), 0, INT32_MAX, &number) == 0) {
        uid = (uid_t)number;
        s->gid = uid;
    } else if (told != NULL) {
        user = getpwnam(told);
        if (user == NULL)
            return command_fail(s->self, EX_USAGE, "no such user", told);
    }
    /* The users of a tree elsewhere have names of its own. */
    if (user == NULL && s->root[0] == '\0')
        user = getpwuid(uid);
    if (user != NULL) {
        uid = user->pw_uid;
        s->gid = user->pw_gid;
    }
    set_number(s, SERVICE_UID, uid, texts[0]);
    set_number(s, SERVICE_GID, s->gid, texts[1]);
    s->fact[SERVICE_USER] = user != NULL ? user->pw_name : texts[0];
    return 0;
}

/* What is known of the tree, below --root. */
static int find_tree(struct service *s)
{
    char path[PATH_LEN_MAX];
    const struct config *config;
    struct buf b;

    const char *env = command_sources.env_file;
    if (env != NULL && access(env, F_OK) != 0)
        command_sources.env_file = NULL; /* it is to be written yet */
    int code = command_open(s->self, &config, &s->tree);
    if (code != 0)
        return code;
    s->fact[SERVICE_ENV] = env != NULL ? env : CONFIG_ENV_FILE;
    s->fact[SERVICE_TREE] = config_text(config, SETTING_RUNTIME_PATH);
    s->fact[SERVICE_NODE] = config_text(config, SETTING_NODE_NAME);
    buf_init(&b, path, sizeof(path));
    buf_str(&b, s->root);
    buf_str(&b, s->fact[SERVICE_TREE]);
    s->root_fd = open(s->root[0] != '\0' ? s->root : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->root_fd < 0 || buf_text(&b) == NULL || tree_init(&s->tree, path) != 0)
        return command_fail(s->self, EX_USAGE, "not an absolute path of a directory", s->root);
    return 0;
}

static int print_file(const struct service *s, const char *name)
{
    struct span text = service_text_make(s, span_of(name));

    print_span(text);
    return text.p != NULL ? print_end(EX_OK) : EX_USAGE;
}

int service_command(const struct command *self, int argc, char **argv)
{
    static struct service s;
    const char *binary = NULL;
    const char *user = NULL;
    const char *init = NULL;
    const char *root = NULL;
    const struct option options[] = {
        COMMAND_TREE_OPTIONS,    {"--binary", NULL, &binary}, {"--user", NULL, &user},
        {"--root", NULL, &root}, {"--init", NULL, &init},     {"--force", &s.force, NULL},
        COMMAND_OPTIONS_END,
    };

    int code = command_options(self, options, &argc, argv);
    if (code != 0)
        return code;
    const char *name = argc > 0 ? argv[0] : "list";
    bool install = strcmp(name, "install") == 0;
    bool uninstall = strcmp(name, "uninstall") == 0;
    s.self = self;
    s.init = span_of(init);
    s.root = root != NULL ? root : "";
    if ((code = find_tree(&s)) != 0 ||
        (code = find_binary(&s, binary, install || uninstall)) != 0 ||
        (code = find_user(&s, user)) != 0)
        return code;
    if (s.fact[SERVICE_BINARY][0] != '/' || s.fact[SERVICE_ENV][0] != '/')
        return command_usage(self, "not an absolute path", "--binary, --env-file");
    if (install)
        return service_install_put(&s);
    return uninstall ? service_install_remove(&s) : print_file(&s, name);
}
