/*
 * The load generator of the benchmarks: one thread, epoll, keep-alive, a closed loop.
 *
 *     loadgen PORT REQUEST CONNECTIONS SECONDS KIND [LEAST [RAMP_MS]]
 *
 * REQUEST is a file with one whole HTTP request, sent as it is. KIND is
 *
 *     json     each connection sends the next request when an answer is whole; an answer of fewer
 *              than LEAST bytes is short
 *     sse      the same with streams; one with fewer than LEAST events, or without [DONE], is short
 *     paced    each connection opens one stream, the first at once and the last after RAMP_MS, and
 *              reads the upstream's send times (@T and 20 digits) out of the events
 *
 * After SECONDS nothing new is sent; what is under way may end (within a second for `paced`, whose
 * rest counts as undelivered, else within ten). Prints one JSON object. Times are microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES 16384
#define SECOND 1000000000ull
#define MARK_DIGITS 20
#define MOST_FAILURES 2000 /* then there is nothing to measure */
static const char DONE[] = "data: [DONE]";

/* ---- histogram: 64 steps an octave, so a value is off by 1.6 % at most */

#define STEPS 64
#define OCTAVES 58
typedef struct {
    uint64_t count, largest, at[STEPS * OCTAVES];
} Histogram;

static unsigned slot_of(uint64_t ns) {
    if (ns < STEPS) return (unsigned)ns;
    unsigned shift = 57u - (unsigned)__builtin_clzll(ns);
    return (shift + 1) * STEPS + (unsigned)(ns >> shift) - STEPS;
}

static double middle_of(unsigned slot) {
    if (slot < STEPS) return slot;
    unsigned shift = slot / STEPS - 1;
    return ((double)(slot % STEPS + STEPS) + 0.5) * (double)(1ull << shift);
}

static void put(Histogram *h, uint64_t ns) {
    h->count++;
    h->at[slot_of(ns)]++;
    if (ns > h->largest) h->largest = ns;
}

static double percentile_us(const Histogram *h, double share) {
    uint64_t seen = 0, wanted = (uint64_t)(share * (double)h->count);
    for (unsigned slot = 0; slot < STEPS * OCTAVES; slot++)
        if ((seen += h->at[slot]) > wanted) return middle_of(slot) / 1000;
    return (double)h->largest / 1000;
}

static void print_histogram(const char *name, const Histogram *h) {
    printf(",\"%s\":{\"count\":%llu,\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"max\":%.2f}", name,
           (unsigned long long)h->count, percentile_us(h, 0.5), percentile_us(h, 0.9),
           percentile_us(h, 0.99), (double)h->largest / 1000);
}

/* ---- state */

typedef enum { HEAD, LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, UNTIL_CLOSE } Phase;
typedef enum { JSON, SSE, PACED } Kind;

typedef struct {
    int fd;
    bool busy, must_close, answered;
    unsigned generation; /* of its socket: what is left of a read is not the next one's */
    size_t sent;
    uint64_t opens_ns, begun_ns;
    Phase phase;
    uint64_t left; /* of the body or of the chunk */
    unsigned line; /* how long the line of the chunk framing is so far */
    uint64_t body, events;
    bool at_line_start;
    unsigned marked; /* how much of a mark has been read */
    uint64_t mark;
    char tail[16];
    size_t head_len;
    char head[HEAD_BYTES];
} Conn;

static struct {
    uint64_t completed, in_time, events, reconnects;
    uint64_t refused, bad_status, cut, short_answers, unfinished;
} counts;

static Histogram latency, ttft, delay;
static Conn *conns;
static int connections, epoll_fd, port, open_requests;
static Kind kind;
static uint64_t least, ends_ns; /* `ends_ns`: after it nothing new is sent */
static char *request, first_bad[200];
static size_t request_len;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void note(const char *text, size_t length) {
    if (first_bad[0]) return;
    for (size_t i = 0; i < length && i < sizeof first_bad - 1; i++)
        first_bad[i] = text[i] >= ' ' && text[i] != '"' && text[i] != '\\' ? text[i] : ' ';
}

/* ---- requests */

static void begin(Conn *c);

static void connect_to_server(Conn *c) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        die("connect");
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

static void hang_up(Conn *c) {
    close(c->fd);
    c->fd = -1;
    c->generation++;
}

static bool goes_on(void) { return kind != PACED && now_ns() < ends_ns; }

/* The request under way failed: it is counted, and a new connection takes its place. */
static void fail(Conn *c, uint64_t *counter, const char *why) {
    (*counter)++;
    note(why, strlen(why));
    hang_up(c);
    c->busy = false;
    open_requests--;
    if (counts.refused + counts.bad_status + counts.cut > MOST_FAILURES) ends_ns = 0;
    if (goes_on()) begin(c);
}

static void send_rest(Conn *c) {
    while (c->busy && c->sent < request_len) {
        ssize_t sent = send(c->fd, request + c->sent, request_len - c->sent, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
        if (sent < 0) {
            fail(c, &counts.refused, "the connection was refused or lost while sending");
            return;
        }
        c->sent += (size_t)sent;
    }
}

static void begin(Conn *c) {
    if (c->fd < 0) connect_to_server(c);
    c->busy = true;
    c->must_close = c->answered = false;
    c->sent = c->head_len = 0;
    c->phase = HEAD;
    c->body = c->events = 0;
    c->at_line_start = true;
    c->marked = 0;
    memset(c->tail, 0, sizeof c->tail);
    c->begun_ns = now_ns();
    open_requests++;
    send_rest(c);
}

static bool has_done(const Conn *c) {
    return memmem(c->tail, sizeof c->tail, DONE, sizeof DONE - 1) != NULL;
}

static void finish(Conn *c) {
    uint64_t now = now_ns();
    bool whole = kind == JSON ? c->body >= least : c->events >= least && has_done(c);
    if (!whole) {
        note("a short answer", 14);
        counts.short_answers++;
    }
    counts.completed++;
    if (now <= ends_ns) counts.in_time++;
    put(&latency, now - c->begun_ns);
    c->busy = false;
    open_requests--;
    if (c->must_close) {
        hang_up(c);
        counts.reconnects++;
    }
    if (goes_on()) begin(c);
}

/* ---- answers */

/* Reads one byte of a send time: the mark is "@T", then twenty digits, in one event or over reads. */
static void look_for_mark(Conn *c, char byte) {
    if (byte == '@') {
        c->marked = 1;
    } else if (c->marked == 1) {
        c->marked = byte == 'T' ? 2 : 0;
        c->mark = 0;
    } else if (c->marked >= 2) {
        if (byte < '0' || byte > '9') {
            c->marked = 0;
            return;
        }
        c->mark = c->mark * 10 + (uint64_t)(byte - '0');
        if (++c->marked == MARK_DIGITS + 2) {
            uint64_t now = now_ns();
            put(&delay, now > c->mark ? now - c->mark : 0);
            counts.events++;
            c->marked = 0;
        }
    }
}

/* Counts the lines that begin with a `d`: in these streams, one for each event's data. */
static void count_events(Conn *c, const char *data, size_t size) {
    const char *end = data + size;
    while (data < end) {
        if (c->at_line_start && *data == 'd') c->events++;
        const char *line_end = memchr(data, '\n', (size_t)(end - data));
        c->at_line_start = line_end != NULL;
        data = line_end ? line_end + 1 : end;
    }
}

static void keep_tail(Conn *c, const char *data, size_t size) {
    size_t room = sizeof c->tail;
    if (size < room) {
        memmove(c->tail, c->tail + size, room - size);
        memcpy(c->tail + room - size, data, size);
    } else {
        memcpy(c->tail, data + size - room, room);
    }
}

static void take_body(Conn *c, const char *data, size_t size) {
    if (!size) return;
    if (!c->answered) put(&ttft, now_ns() - c->begun_ns);
    c->answered = true;
    c->body += size;
    if (kind == JSON) return;
    uint64_t before = c->events;
    count_events(c, data, size);
    keep_tail(c, data, size);
    if (kind == SSE) counts.events += c->events - before;
    else
        for (size_t i = 0; i < size; i++) look_for_mark(c, data[i]);
}

static const char *field(const Conn *c, const char *name) {
    size_t length = strlen(name);
    const char *line = c->head;
    while ((line = strchr(line, '\n')) && *++line)
        if (line[length] == ':' && !strncasecmp(line, name, length)) {
            line += length + 1;
            while (*line == ' ') line++;
            return line;
        }
    return NULL;
}

static bool read_head(Conn *c) {
    const char *length = field(c, "content-length"), *coding = field(c, "transfer-encoding");
    const char *connection = field(c, "connection");
    c->must_close = connection && !strncasecmp(connection, "close", 5);
    if (strncmp(c->head, "HTTP/1.1 200", 12)) {
        note(c->head, c->head_len);
        return false;
    }
    if (coding && !strncasecmp(coding, "chunked", 7)) {
        c->phase = CHUNK_SIZE;
        c->left = c->line = 0;
    } else if (length) {
        c->phase = LENGTH;
        c->left = strtoull(length, NULL, 10);
    } else {
        c->phase = UNTIL_CLOSE;
        c->must_close = true;
    }
    return true;
}

/* Takes bytes up to the head's end; returns how many. */
static size_t take_head(Conn *c, const char *data, size_t size) {
    size_t taken = 0;
    while (taken < size && c->head_len < HEAD_BYTES - 1) {
        c->head[c->head_len++] = data[taken++];
        if (c->head_len >= 4 && !memcmp(c->head + c->head_len - 4, "\r\n\r\n", 4)) {
            c->head[c->head_len] = 0;
            if (!read_head(c)) fail(c, &counts.bad_status, "");
            return taken;
        }
    }
    if (c->head_len == HEAD_BYTES - 1) fail(c, &counts.bad_status, "an endless head");
    return taken;
}

static unsigned hex(char digit) {
    if (digit >= '0' && digit <= '9') return (unsigned)(digit - '0');
    return (unsigned)((digit | 32) - 'a') + 10;
}

/* Takes one byte of the lines around the chunks. */
static void take_framing(Conn *c, char byte) {
    if (byte == '\r') return;
    if (byte != '\n') {
        if (c->phase == CHUNK_SIZE) c->left = c->left * 16 + hex(byte);
        c->line++;
    } else if (c->phase == CHUNK_END) {
        c->phase = CHUNK_SIZE;
        c->left = c->line = 0;
    } else if (c->phase == CHUNK_SIZE) {
        c->phase = c->left ? CHUNK_DATA : TRAILER;
        c->line = 0;
    } else if (c->line) { /* one more trailer line may follow */
        c->line = 0;
    } else {
        finish(c);
    }
}

static size_t take_some(Conn *c, const char *data, size_t size) {
    if (c->phase == HEAD) return take_head(c, data, size);
    if (c->phase == UNTIL_CLOSE) return take_body(c, data, size), size;
    if (c->phase != LENGTH && c->phase != CHUNK_DATA) return take_framing(c, *data), 1;
    size_t taken = size < c->left ? size : (size_t)c->left;
    take_body(c, data, taken);
    c->left -= taken;
    if (c->phase == CHUNK_DATA && !c->left) c->phase = CHUNK_END;
    return taken;
}

static void take(Conn *c, const char *data, size_t size) {
    unsigned generation = c->generation;
    while (size && c->busy && c->generation == generation) {
        size_t taken = take_some(c, data, size);
        data += taken;
        size -= taken;
        if (c->busy && c->phase == LENGTH && !c->left) {
            finish(c);
            return;
        }
    }
}

static void closed(Conn *c) {
    if (!c->busy) hang_up(c);
    else if (c->phase == UNTIL_CLOSE) finish(c);
    else if (c->phase == HEAD && !c->head_len) fail(c, &counts.refused, "closed before an answer");
    else fail(c, &counts.cut, "cut in the middle of an answer");
}

/* Reads until there is nothing left, since events are told once only. */
static void receive(Conn *c) {
    static char buffer[256 * 1024];
    unsigned generation = c->generation;
    while (c->generation == generation) {
        ssize_t got = recv(c->fd, buffer, sizeof buffer, 0);
        if (got < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
        if (got > 0) take(c, buffer, (size_t)got);
        else closed(c);
    }
}

/* ---- the run */

static int wait_ms(uint64_t now, int opened, uint64_t until) {
    uint64_t next = opened < connections ? conns[opened].opens_ns : until;
    return next > now ? (int)((next - now) / 1000000) + (next - now > 1000000 ? 0 : 1) : 0;
}

static void run(uint64_t until) {
    struct epoll_event events[512];
    int opened = 0;
    for (;;) {
        uint64_t now = now_ns();
        while (opened < connections && conns[opened].opens_ns <= now) begin(&conns[opened++]);
        bool over = now >= ends_ns && !open_requests;
        if (now >= until || (opened == connections && !open_requests && (over || kind == PACED)))
            return;
        int count = epoll_wait(epoll_fd, events, 512, wait_ms(now, opened, until));
        for (int i = 0; i < count; i++) {
            Conn *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT && c->fd >= 0) send_rest(c);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && c->fd >= 0) receive(c);
        }
    }
}

static void read_request(const char *path) {
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &about)) die(path);
    request = malloc((size_t)about.st_size);
    if (!request || read(fd, request, (size_t)about.st_size) != about.st_size) die(path);
    request_len = (size_t)about.st_size;
    close(fd);
}

static void report(double seconds) {
    counts.unfinished = (uint64_t)open_requests;
    printf("{\"seconds\":%.6f,\"completed\":%llu,\"in_time\":%llu,\"events\":%llu", seconds,
           (unsigned long long)counts.completed, (unsigned long long)counts.in_time,
           (unsigned long long)counts.events);
    printf(",\"reconnects\":%llu,\"refused\":%llu,\"bad_status\":%llu,\"cut\":%llu",
           (unsigned long long)counts.reconnects, (unsigned long long)counts.refused,
           (unsigned long long)counts.bad_status, (unsigned long long)counts.cut);
    printf(",\"short\":%llu,\"unfinished\":%llu,\"first_bad\":\"%s\"",
           (unsigned long long)counts.short_answers, (unsigned long long)counts.unfinished,
           first_bad);
    print_histogram("latency_us", &latency);
    print_histogram("ttft_us", &ttft);
    print_histogram("delay_us", &delay);
    printf("}\n");
}

static Kind kind_of(const char *name) {
    return !strcmp(name, "json") ? JSON : !strcmp(name, "sse") ? SSE : PACED;
}

int main(int argc, char **argv) {
    if (argc < 6) return fprintf(stderr, "usage: loadgen PORT REQUEST N SECONDS KIND ...\n"), 2;
    port = atoi(argv[1]);
    read_request(argv[2]);
    connections = atoi(argv[3]);
    double seconds = atof(argv[4]);
    kind = kind_of(argv[5]);
    least = argc > 6 ? strtoull(argv[6], NULL, 10) : 0;
    uint64_t ramp_ns = argc > 7 ? strtoull(argv[7], NULL, 10) * 1000000ull : 0;
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    epoll_fd = epoll_create1(0);
    conns = calloc((size_t)connections, sizeof *conns);
    if (!conns) die("calloc");
    uint64_t start = now_ns();
    for (int i = 0; i < connections; i++) {
        conns[i].fd = -1;
        conns[i].opens_ns = start + ramp_ns * (uint64_t)i / (uint64_t)connections;
    }
    ends_ns = start + ramp_ns + (uint64_t)(seconds * 1e9);
    run(ends_ns + (kind == PACED ? 1 : 10) * SECOND);
    uint64_t stopped = now_ns();
    report((double)((kind == PACED ? stopped : ends_ns) - start) / 1e9);
}
