/*
 * The mock provider of the benchmarks: one thread, epoll, answers rendered before the first request.
 *
 *     upstream KEY        listens at a free port of 127.0.0.1 and prints the port
 *
 * What it answers is asked for by the model's name in the request's body:
 *
 *     bench-json          a chat completion of 1 KB
 *     bench-sse           a stream of 100 events, each written by itself, without a pause
 *     bench-messages      the same in Anthropic's format (any model ending so, at any path)
 *     bench-paced-N       N events, one each 20 ms; each has its send time in it: @T and the
 *                         monotonic clock's nanoseconds in 20 digits
 *     bench-503           an error, after which the connection stays open
 *     bench-cut           the first events of a stream, and then the connection's end
 *
 * A request must carry KEY, as a bearer token or in x-api-key; one that does not is counted and
 * gets a 401. GET /stats tells the counters. Linux only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define IN_BYTES (256 * 1024)
#define OUT_BYTES (64 * 1024)
#define PACE_NS 20000000ull
#define STREAM_EVENTS 100
#define MOST_PIECES (STREAM_EVENTS + 1)
#define CUT_AFTER 20

typedef struct {
    char *data;
    size_t size;
    size_t ends[MOST_PIECES]; /* of a stream: where each piece ends that is written by itself */
    unsigned pieces;
} Bytes;

typedef struct Conn {
    int fd;
    size_t in_len;
    size_t request_len; /* of the request being read, head and body; 0: its head is not whole */
    size_t head_len;
    const char *out; /* what is being written: an answer that all share, or `own` */
    size_t out_len;
    const Bytes *stream; /* what `out` is a part of, if that is written piece by piece */
    unsigned piece;
    bool waits_to_write;
    bool close_after;
    bool queued;             /* a paced stream whose next event is due some time */
    bool dead;               /* closed while queued: freed when its turn comes */
    unsigned events_left;
    uint64_t due_ns;
    struct Conn *next_due;
    char in[IN_BYTES];
    char own[OUT_BYTES];
} Conn;

static struct {
    uint64_t requests, bad_auth, bad_requests, streams, events;
} stats;

static const char *key;
static int epoll_fd, timer_fd;
static Bytes json_answer, sse_answer, messages_answer, error_answer, cut_answer;
static Conn *first_due, *last_due; /* all streams have one pace, so a queue is in order of time */

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* ---- the answers */

#define WORDS "The quick brown fox jumps over the lazy dog and runs on. "
#define USAGE "\"usage\":{\"prompt_tokens\":200,\"completion_tokens\":98,\"total_tokens\":298}"
#define CHUNK "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000," \
              "\"model\":\"bench\",\"system_fingerprint\":\"fp_0123456789\","

static void append(Bytes *to, const char *text) {
    size_t length = strlen(text);
    to->data = realloc(to->data, to->size + length + 1);
    if (!to->data) die("realloc");
    memcpy(to->data + to->size, text, length + 1);
    to->size += length;
}

/* One event as a transfer chunk of its own, as a provider that flushes each event sends it. */
static int as_chunk(char *to, size_t room, const char *event) {
    return snprintf(to, room, "%zx\r\n%s\r\n", strlen(event), event);
}

static void append_event(Bytes *to, const char *event) {
    char chunk[1024];
    as_chunk(chunk, sizeof chunk, event);
    append(to, chunk);
    to->ends[to->pieces++] = to->size;
}

/* The last chunk goes out with the last event. */
static void end_stream(Bytes *to) {
    append(to, "0\r\n\r\n");
    to->ends[to->pieces - 1] = to->size;
}

static const char STREAM_HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                  "Cache-Control: no-cache\r\nx-request-id: req_bench\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n";
static const char CHAT_FINISH[] =
    "data: " CHUNK "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
static const char CHAT_USAGE[] = "data: " CHUNK "\"choices\":[]," USAGE "}\n\n";
static const char CHAT_DONE[] = "data: [DONE]\n\n";

static void render_json(void) {
    char body[2048], head[256];
    char text[1024] = "";
    for (int i = 0; i < 12; i++) strcat(text, WORDS);
    snprintf(body, sizeof body,
             "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,"
             "\"model\":\"bench\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
             "\"content\":\"%s\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
             USAGE ",\"system_fingerprint\":\"fp_0123456789\"}",
             text);
    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_bench\r\n"
             "Content-Length: %zu\r\n\r\n",
             strlen(body));
    append(&json_answer, head);
    append(&json_answer, body);
}

static void append_words(Bytes *to, int count) {
    char event[512];
    append(to, STREAM_HEAD);
    for (int i = 0; i < count; i++) {
        snprintf(event, sizeof event,
                 "data: " CHUNK "\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\"word%04d\"},"
                 "\"logprobs\":null,\"finish_reason\":null}]}\n\n",
                 i ? "" : "\"role\":\"assistant\",", i);
        append_event(to, event);
    }
}

static void render_sse(void) {
    append_words(&sse_answer, STREAM_EVENTS - 2);
    append_event(&sse_answer, CHAT_FINISH);
    append_event(&sse_answer, CHAT_USAGE);
    append_event(&sse_answer, CHAT_DONE);
    end_stream(&sse_answer);
}

static void append_typed(const char *type, const char *rest) {
    char event[512];
    snprintf(event, sizeof event, "event: %s\ndata: {\"type\":\"%s\"%s}\n\n", type, type, rest);
    append_event(&messages_answer, event);
}

static void render_messages(void) {
    char delta[256];
    append(&messages_answer, STREAM_HEAD);
    append_typed("message_start",
                 ",\"message\":{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\","
                 "\"model\":\"bench\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
                 "\"usage\":{\"input_tokens\":200,\"output_tokens\":1}}");
    append_typed("content_block_start",
                 ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}");
    for (int i = 0; i < STREAM_EVENTS - 5; i++) {
        snprintf(delta, sizeof delta,
                 ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"word%04d\"}", i);
        append_typed("content_block_delta", delta);
    }
    append_typed("content_block_stop", ",\"index\":0");
    append_typed("message_delta",
                 ",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
                 "\"usage\":{\"output_tokens\":98}");
    append_typed("message_stop", "");
    end_stream(&messages_answer);
}

static void render_faults(void) {
    append(&error_answer,
           "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
           "Content-Length: 31\r\n\r\n{\"error\":{\"message\":\"no room\"}}");
    append_words(&cut_answer, CUT_AFTER);
}

/* ---- writing */

static void watch(Conn *c, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (c->waits_to_write ? EPOLLOUT : 0)};
    event.data.ptr = c;
    epoll_ctl(epoll_fd, operation, c->fd, &event);
}

static void drop(Conn *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    c->dead = true;
    if (!c->queued) free(c);
}

static size_t piece_len(const Conn *c) {
    if (!c->stream) return c->out_len;
    return (size_t)(c->stream->data + c->stream->ends[c->piece] - c->out);
}

/* Writes what there is to write; false: the connection is gone. */
static bool flush_out(Conn *c) {
    while (c->out_len) {
        ssize_t sent = send(c->fd, c->out, piece_len(c), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno != EAGAIN) return drop(c), false;
        if (sent < 0) break;
        c->out += sent;
        c->out_len -= (size_t)sent;
        if (c->stream && c->out == c->stream->data + c->stream->ends[c->piece]) c->piece++;
    }
    bool waits = c->out_len > 0;
    if (waits != c->waits_to_write) {
        c->waits_to_write = waits;
        watch(c, EPOLL_CTL_MOD);
    }
    if (!waits && c->close_after && !c->events_left) return drop(c), false;
    return true;
}

static bool write_own(Conn *c, const char *text) {
    size_t length = strlen(text);
    if (c->out_len + length > OUT_BYTES) { /* a reader this slow is cut, and so seen as short */
        drop(c);
        return false;
    }
    if (c->out_len) memmove(c->own, c->out, c->out_len);
    memcpy(c->own + c->out_len, text, length);
    c->out = c->own;
    c->stream = NULL;
    c->out_len += length;
    return flush_out(c);
}

/* ---- paced streams */

static void arm(void) {
    struct itimerspec when = {0};
    if (first_due) {
        when.it_value.tv_sec = (time_t)(first_due->due_ns / 1000000000ull);
        when.it_value.tv_nsec = (long)(first_due->due_ns % 1000000000ull);
    }
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void enqueue(Conn *c, uint64_t due_ns) {
    c->due_ns = due_ns;
    c->queued = true;
    c->next_due = NULL;
    if (last_due) last_due->next_due = c;
    else first_due = c;
    last_due = c;
}

/* Sends the next event; false: the connection is gone. */
static bool paced_event(Conn *c, uint64_t due_ns) {
    char event[512], out[2048];
    c->events_left--;
    stats.events++;
    snprintf(event, sizeof event,
             "data: " CHUNK "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@T%020llu\"},"
             "\"finish_reason\":null}]}\n\n",
             (unsigned long long)now_ns());
    int length = as_chunk(out, sizeof out, event);
    if (!c->events_left) {
        length += as_chunk(out + length, sizeof out - (size_t)length, CHAT_FINISH);
        length += as_chunk(out + length, sizeof out - (size_t)length, CHAT_USAGE);
        length += as_chunk(out + length, sizeof out - (size_t)length, CHAT_DONE);
        snprintf(out + length, sizeof out - (size_t)length, "0\r\n\r\n");
    }
    if (!write_own(c, out)) return false;
    if (c->events_left) enqueue(c, due_ns + PACE_NS);
    return true;
}

static void send_due(void) {
    uint64_t expirations;
    if (read(timer_fd, &expirations, sizeof expirations) < 0 && errno != EAGAIN) die("timerfd");
    uint64_t now = now_ns();
    while (first_due && first_due->due_ns <= now) {
        Conn *c = first_due;
        first_due = c->next_due;
        if (!first_due) last_due = NULL;
        c->queued = false;
        if (c->dead) free(c);
        else paced_event(c, c->due_ns);
    }
    arm();
}

/* ---- requests */

static bool head_has(const Conn *c, const char *text) {
    return memmem(c->in, c->head_len, text, strlen(text)) != NULL;
}

static const char *field(const Conn *c, const char *name) {
    size_t length = strlen(name);
    const char *line = c->in, *end = c->in + c->head_len;
    while ((line = memchr(line, '\n', (size_t)(end - line))) && ++line + length < end)
        if (line[length] == ':' && !strncasecmp(line, name, length)) {
            line += length + 1;
            while (*line == ' ') line++;
            return line;
        }
    return NULL;
}

static bool authorized(const Conn *c) {
    size_t length = strlen(key);
    const char *bearer = field(c, "authorization"), *bare = field(c, "x-api-key");
    if (bearer && !strncasecmp(bearer, "bearer ", 7) && !strncmp(bearer + 7, key, length))
        return bearer[7 + length] == '\r';
    return bare && !strncmp(bare, key, length) && bare[length] == '\r';
}

static bool refuse(Conn *c, const char *status, uint64_t *counter) {
    char answer[256];
    (*counter)++;
    c->close_after = true;
    snprintf(answer, sizeof answer,
             "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: 31\r\n"
             "Connection: close\r\n\r\n{\"error\":{\"message\":\"refused\"}}",
             status);
    return write_own(c, answer);
}

static bool tell_stats(Conn *c) {
    char body[256], answer[512];
    snprintf(body, sizeof body,
             "{\"requests\":%llu,\"bad_auth\":%llu,\"bad_requests\":%llu,\"streams\":%llu,"
             "\"events\":%llu}",
             (unsigned long long)stats.requests, (unsigned long long)stats.bad_auth,
             (unsigned long long)stats.bad_requests, (unsigned long long)stats.streams,
             (unsigned long long)stats.events);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    return write_own(c, answer);
}

static bool answer_with(Conn *c, const Bytes *answer) {
    c->out = answer->data;
    c->out_len = answer->size;
    c->stream = answer->pieces ? answer : NULL;
    c->piece = 0;
    return flush_out(c);
}

static bool start_paced(Conn *c, const char *count) {
    c->events_left = (unsigned)strtoul(count, NULL, 10);
    if (!c->events_left) return refuse(c, "400 Bad Request", &stats.bad_requests);
    stats.streams++;
    bool idle = first_due == NULL;
    if (!write_own(c, STREAM_HEAD)) return false;
    bool alive = paced_event(c, now_ns());
    if (idle) arm();
    return alive;
}

/* Answers the one request that stands at the buffer's begin; false: the connection is gone. */
static bool answer(Conn *c) {
    const char *body = c->in + c->head_len;
    size_t body_len = c->request_len - c->head_len;
    if (!strncmp(c->in, "GET /stats", 10)) return tell_stats(c);
    stats.requests++;
    if (!authorized(c)) return refuse(c, "401 Unauthorized", &stats.bad_auth);
    c->close_after = head_has(c, "onnection: close");
    const char *model = memmem(body, body_len, "\"bench-", 7);
    if (!model) return refuse(c, "400 Bad Request", &stats.bad_requests);
    model += 7;
    if (!strncmp(model, "json\"", 5)) return answer_with(c, &json_answer);
    if (!strncmp(model, "paced-", 6)) return start_paced(c, model + 6);
    if (!strncmp(model, "503\"", 4)) return answer_with(c, &error_answer);
    stats.streams++;
    if (!strncmp(model, "cut\"", 4)) {
        c->close_after = true;
        return answer_with(c, &cut_answer);
    }
    if (!strncmp(model, "sse\"", 4)) return answer_with(c, &sse_answer);
    if (!strncmp(model, "messages\"", 9)) return answer_with(c, &messages_answer);
    return refuse(c, "400 Bad Request", &stats.bad_requests);
}

/* Finds where the request ends; false: it is not one that can be read here. */
static bool measure_request(Conn *c) {
    const char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (!end) return c->in_len < IN_BYTES;
    c->head_len = (size_t)(end - c->in) + 4;
    const char *length = field(c, "content-length");
    if (field(c, "transfer-encoding")) return false;
    c->request_len = c->head_len + (length ? strtoul(length, NULL, 10) : 0);
    return c->request_len <= IN_BYTES;
}

static void take_requests(Conn *c) {
    while (c->in_len && !c->out_len && !c->events_left) {
        if (!c->request_len && !measure_request(c)) {
            refuse(c, "400 Bad Request", &stats.bad_requests);
            return;
        }
        if (!c->request_len || c->in_len < c->request_len) return;
        if (!answer(c)) return;
        c->in_len -= c->request_len;
        if (c->in_len) memmove(c->in, c->in + c->request_len, c->in_len);
        c->request_len = 0;
    }
}

static void serve(Conn *c, uint32_t ready) {
    if (ready & EPOLLOUT && !flush_out(c)) return;
    if (ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        ssize_t got = recv(c->fd, c->in + c->in_len, IN_BYTES - c->in_len, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            drop(c);
            return;
        }
        if (got > 0) c->in_len += (size_t)got;
    }
    take_requests(c);
}

static void accept_all(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Conn *c = malloc(sizeof *c);
        if (!c) die("malloc");
        memset(c, 0, offsetof(Conn, in));
        c->fd = fd;
        watch(c, EPOLL_CTL_ADD);
    }
}

static int listen_anywhere(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 1024)) die("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void add_marked(int fd, void *mark) {
    struct epoll_event event = {.events = EPOLLIN};
    event.data.ptr = mark;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: upstream KEY\n"), 2;
    key = argv[1];
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a benchmark that was killed leaves nothing behind */
    render_json();
    render_sse();
    render_messages();
    render_faults();
    epoll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int listener = listen_anywhere();
    add_marked(listener, &epoll_fd);
    add_marked(timer_fd, &timer_fd);
    struct epoll_event events[512];
    for (;;) {
        int count = epoll_wait(epoll_fd, events, 512, -1);
        bool due = false;
        for (int i = 0; i < count; i++) {
            void *mark = events[i].data.ptr;
            if (mark == &epoll_fd) accept_all(listener);
            else if (mark == &timer_fd) due = true;
            else serve(mark, events[i].events);
        }
        if (due) send_due(); /* last, since it may free what this round's events point to */
    }
}
