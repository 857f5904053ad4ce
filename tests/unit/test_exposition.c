/* test_exposition.c - proves bin/gateway/exposition.c and bin/gateway/traffic.c */
#include "compat.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "exposition.h"
#include "tap.h"
#include "traffic.h"

static struct buf text = BUF_INIT;

static bool
has(const char *what)
{
	return strstr(text.s, what) != NULL;
}

static size_t
count(const char *what)
{
	const char *s = text.s;
	size_t n = 0;

	for (; (s = strstr(s, what)); s++)
		n++;
	return n;
}

static void
test_traffic(void)
{
	static char routes[TRAFFIC_ROUTES_MAX + 10][16];
	struct traffic *traffic = traffic_new();
	size_t i;

	for (i = 0; i < ARRAY_LEN(routes); i++) {
		snprintf(routes[i], sizeof routes[i], "/r%zu", i);
		traffic_count(traffic, "GET", routes[i], 200);
		traffic_time(traffic, "GET", routes[i], 1500);
	}
	for (i = 0; i < TRAFFIC_CODES_MAX + 3; i++)
		traffic_count(traffic, "POST", "", 200 + (int)i);
	traffic_count(traffic, "POST", "", 200);
	buf_reset(&text);
	traffic_write(traffic, &text);
	ok(has("{method=\"GET\",route=\"/r0\",code=\"200\"} 1\n") && has("{method=\"other\",route=\"other\",code=\"200\"} "),
	    "routes past the limit are counted together");
	ok(count("# TYPE agent_gateway_http_requests_total counter\n") == 1 && count(",code=") <= TRAFFIC_ROUTES_MAX + TRAFFIC_CODES_MAX,
	    "and there are no more of them");
	ok(has("_bucket{method=\"GET\",route=\"/r1\",le=\"0.001\"} 0\n") &&
		has("_bucket{method=\"GET\",route=\"/r1\",le=\"0.0025\"} 1\n") &&
		has("_bucket{method=\"GET\",route=\"/r1\",le=\"+Inf\"} 1\n") && has("_sum{method=\"GET\",route=\"/r1\"} 0.0015\n"),
	    "times");
	traffic_free(traffic);

	traffic = traffic_new();
	for (i = 0; i < TRAFFIC_CODES_MAX + 3; i++)
		traffic_count(traffic, "POST", "/a", 200 + (int)i);
	traffic_count(traffic, "POST", "/a", 200);
	buf_reset(&text);
	traffic_write(traffic, &text);
	ok(has("code=\"200\"} 2\n") && has("code=\"other\"} ") && count(",code=") == TRAFFIC_CODES_MAX, "codes past the limit too");
	traffic_free(traffic);
	traffic_free(NULL);
}

int
main(void)
{
	struct histogram histogram = { 0 };

	exposition_family(&text, "a", "gauge", "Help.");
	exposition_count(&text, "a", "", (const char *const[]){ "l", "x\\y\"z\nw\xff", "m", "", NULL }, UINT64_MAX);
	exposition_real(&text, "a", "", NULL, 0.1);
	is_str(text.s, "# HELP a Help.\n# TYPE a gauge\na{l=\"x\\\\y\\\"z\\nw\xef\xbf\xbd\",m=\"\"} 18446744073709551615\na 0.1\n",
	    "a sample");
	histogram_add(&histogram, -5);
	histogram_add(&histogram, 500);
	histogram_add(&histogram, 501);
	histogram_add(&histogram, INT64_C(3600) * 1000000);
	buf_reset(&text);
	exposition_histogram(&text, "h", NULL, &histogram);
	ok(has("h_bucket{le=\"0.0005\"} 2\n") && has("h_bucket{le=\"0.001\"} 3\n") && has("h_bucket{le=\"600\"} 3\n") &&
		has("h_bucket{le=\"+Inf\"} 4\n") && has("h_sum 3600.001001\n") && has("h_count 4\n"),
	    "a histogram: bounds belong to their buckets");
	buf_reset(&text);
	exposition_process(&text);
	ok(has("process_resident_memory_bytes ") && has("process_open_fds ") && has("process_threads 1\n"), "this process");
	test_traffic();
	buf_release(&text);
	return done();
}
