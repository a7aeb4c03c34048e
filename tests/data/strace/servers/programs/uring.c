// A server whose accepts, reads and answers all go through one io_uring: uring PORT (man 7 io_uring).
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRIES = 32, MOST = 256, ACCEPT = 1, READ, ANSWER, CLOSE };
static const char *const HELLO = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
static char buffers[MOST][4096];
static unsigned *tail, *mask, *array, unsubmitted;
static struct io_uring_sqe *entries;

static void submit(int what, int opcode, int fd, const void *data, unsigned length) {
    unsigned index = *tail & *mask;
    struct io_uring_sqe *entry = &entries[index];
    memset(entry, 0, sizeof *entry);
    entry->opcode = opcode;
    entry->fd = fd;
    entry->addr = (unsigned long)data;
    entry->len = length;
    entry->user_data = (unsigned long)what << 32 | (unsigned)fd;
    array[index] = index;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    unsubmitted++;
}

int main(int count, char **words) {
    struct io_uring_params shape = {0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(words[1]) : 8079)};
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int ring = syscall(__NR_io_uring_setup, ENTRIES, &shape);
    if (ring < 0 || bind(listener, (void *)&address, sizeof address) || listen(listener, 16)) {
        perror("uring");
        return 2;
    }
    size_t size = shape.sq_off.array + shape.sq_entries * sizeof(unsigned);
    size_t other = shape.cq_off.cqes + shape.cq_entries * sizeof(struct io_uring_cqe);
    char *rings = mmap(NULL, size > other ? size : other, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    entries = mmap(NULL, shape.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    tail = (unsigned *)(rings + shape.sq_off.tail);
    mask = (unsigned *)(rings + shape.sq_off.ring_mask);
    array = (unsigned *)(rings + shape.sq_off.array);
    unsigned *head = (unsigned *)(rings + shape.cq_off.head), *end = (unsigned *)(rings + shape.cq_off.tail);
    unsigned done_mask = *(unsigned *)(rings + shape.cq_off.ring_mask);
    struct io_uring_cqe *done = (struct io_uring_cqe *)(rings + shape.cq_off.cqes);

    submit(ACCEPT, IORING_OP_ACCEPT, listener, NULL, 0);
    for (;;) {
        syscall(__NR_io_uring_enter, ring, unsubmitted, 1, IORING_ENTER_GETEVENTS, NULL, 0);
        unsubmitted = 0;
        for (; *head != __atomic_load_n(end, __ATOMIC_ACQUIRE); __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE)) {
            struct io_uring_cqe each = done[*head & done_mask];
            int what = each.user_data >> 32, fd = each.user_data & 0xffffffff;
            if (what == ACCEPT) {
                submit(ACCEPT, IORING_OP_ACCEPT, listener, NULL, 0);
                if (each.res >= 0 && each.res < MOST)
                    submit(READ, IORING_OP_RECV, each.res, buffers[each.res], sizeof buffers[0]);
            } else if (what == READ && each.res > 0) {
                submit(ANSWER, IORING_OP_SEND, fd, HELLO, strlen(HELLO));
            } else if (what == ANSWER && each.res > 0) {
                submit(READ, IORING_OP_RECV, fd, buffers[fd], sizeof buffers[0]);
            } else if (what != CLOSE) {
                submit(CLOSE, IORING_OP_CLOSE, fd, NULL, 0);
            }
        }
    }
}
