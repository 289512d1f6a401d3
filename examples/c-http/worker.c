/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The smallest HTTP worker: cc -o worker worker.c
 *
 * One connection at a time, one answer on each; -n makes it many. What makes it
 * a worker of einhyrningsins is inherited(), acknowledge(), and main(), where
 * the graceful signal is looked for only while nothing is under way.
 */
#define _GNU_SOURCE /* accept4 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* The first socket of -b, or an end that says what is missing. */
static int inherited(void) {
	const char *text = getenv("EINHORN_FD_0");
	int fd = text ? atoi(text) : -1, listens = 0;
	socklen_t size = sizeof listens;
	if (fd < 3 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens) {
		fprintf(stderr, "worker: EINHORN_FD_0=%s is no listening socket; "
			"run me with: einhyrningsins -m -b 127.0.0.1:8080,r -- ./worker\n", text ? text : "");
		exit(1);
	}
	/* Another worker may be faster. An accept() that blocks then would hear no
	 * signal before the next connection. It holds for all who share the socket. */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

/* Says that we accept. The master may die with the line: then the connection
 * ends without an answer, and the next master is told. */
static void acknowledge(void) {
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const char *path = getenv("EINHORN_SOCK_PATH");
	char line[64], answer[64];
	int size = snprintf(line, sizeof line, "{\"command\":\"worker:ack\",\"pid\":%d}\n", (int)getpid());
	if (!path || strlen(path) >= sizeof addr.sun_path)
		return; /* started by hand */
	strcpy(addr.sun_path, path);
	for (int tries = 0; tries < 100; tries++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), told = 0;
		if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
			told = write(fd, line, size) == size && read(fd, answer, sizeof answer) > 0;
		close(fd);
		if (told)
			return;
		usleep(50 * 1000);
	}
	fprintf(stderr, "worker: cannot send the ACK to %s\n", path);
}

/* Reads one request and answers it. A client that says nothing for 5 s is left. */
static void serve(int fd, const char *generation) {
	struct timeval patience = {.tv_sec = 5};
	char request[8192], body[64], answer[256];
	size_t got = 0;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	for (;;) {
		ssize_t n = read(fd, request + got, sizeof request - 1 - got);
		if (n <= 0)
			return;
		request[got += n] = 0;
		if (strstr(request, "\r\n\r\n"))
			break;
	}
	if (strncmp(request, "GET /slow", 9) == 0)
		usleep(50 * 1000);
	snprintf(body, sizeof body, "pid=%d generation=%s\n", (int)getpid(), generation);
	int size = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
		"Content-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(body), body);
	if (write(fd, answer, size) == size)
		shutdown(fd, SHUT_WR);
}

int main(void) {
	const char *generation = getenv("SERVER_STARTER_GENERATION");
	struct pollfd wait[2] = {{.events = POLLIN}, {.events = POLLIN}};
	sigset_t ends;

	/* Blocked and read from a descriptor, so that it interrupts nothing. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGUSR2);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	wait[0].fd = signalfd(-1, &ends, SFD_CLOEXEC);
	signal(SIGPIPE, SIG_IGN);
	wait[1].fd = inherited();
	acknowledge();
	while (poll(wait, 2, -1) < 0 || !wait[0].revents) {
		int fd = accept4(wait[1].fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0) {
			serve(fd, generation ? generation : "0");
			close(fd);
		}
	}
	return 0;
}
