// A web server on 0.0.0.0:8082: GET / answers with ./templates/index.html, seen from the working directory.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PORT = 8082, REQUEST_LIMIT = 8192, PAGE_LIMIT = 1 << 20 };

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static int send_all(int client, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(client, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return -1;
    bytes += sent;
    length -= (size_t)sent;
  }
  return 0;
}

static void answer(int client, const char *status, const char *type, const char *body, size_t length) {
  char head[256];
  int size = snprintf(head, sizeof head,
                      "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
                      type, length);
  if (send_all(client, head, (size_t)size) == 0) send_all(client, body, length);
}

static void answer_text(int client, const char *status, const char *text) {
  answer(client, status, "text/plain", text, strlen(text));
}

static void answer_page(int client, char *page) {
  FILE *file = fopen("./templates/index.html", "rb");
  if (file == NULL) {
    answer_text(client, "500 Internal Server Error", "Template error\n");
    return;
  }
  size_t length = fread(page, 1, PAGE_LIMIT, file);
  fclose(file);
  answer(client, "200 OK", "text/html; charset=utf-8", page, length);
}

// Reads up to the empty line that ends the head; what follows it is not looked at.
static int read_head(int client, char *head) {
  size_t length = 0;
  while (length < REQUEST_LIMIT - 1) {
    ssize_t got = recv(client, head + length, REQUEST_LIMIT - 1 - length, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -1;
    length += (size_t)got;
    head[length] = '\0';
    if (strstr(head, "\r\n\r\n") != NULL) return 0;
  }
  return -1;
}

static void stop(int signal_number) {
  (void)signal_number;
  _exit(0);
}

int main(void) {
  static char head[REQUEST_LIMIT];
  static char page[PAGE_LIMIT];
  signal(SIGTERM, stop); // as process 1 of a container there is no default action
  signal(SIGINT, stop);

  int server = socket(AF_INET, SOCK_STREAM, 0);
  if (server < 0) fail("socket");
  int yes = 1;
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_ANY)};
  if (bind(server, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
  if (listen(server, 64) != 0) fail("listen");

  for (;;) {
    int client = accept(server, NULL, NULL);
    if (client < 0) continue;
    struct timeval patience = {.tv_sec = 5};
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (read_head(client, head) != 0) answer_text(client, "400 Bad Request", "Bad request\n");
    else if (strncmp(head, "GET / ", 6) == 0) answer_page(client, page);
    else answer_text(client, "404 Not Found", "Not found\n");
    close(client);
  }
}
