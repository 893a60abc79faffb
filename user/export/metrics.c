// SPDX-License-Identifier: GPL-2.0-only
#include "metrics.h"

#include <stdio.h>
#include <string.h>

#include "metrics_library.h"
#include "process.h"

/* Where a family is being written, and in which format. */
struct page {
	struct buf *out;
	enum expo_format format;
};

static void family(const struct page *p, enum expo_type type, const char *name, const char *unit,
		   const char *help)
{
	struct expo_family f = {.name = name, .type = type, .unit = unit, .help = help};

	expo_family(p->out, p->format, &f);
}

/* A family that has one sample without labels; @sample is its name there. */
static void single(const struct page *p, enum expo_type type, const char *sample, const char *name,
		   const char *help, uint64_t value)
{
	family(p, type, name, NULL, help);
	expo_sample(p->out, sample, NULL);
	expo_number(p->out, value);
}

struct port_text {
	char text[6];
};

static struct port_text port_text(const struct series_id *id)
{
	struct port_text port;

	snprintf(port.text, sizeof(port.text), "%u", (unsigned int)id->port);
	return port;
}

static void write_handshakes(const struct page *p, const struct aggregate *agg)
{
	const struct series *s;

	family(p, EXPO_COUNTER, "alpn_handshakes", NULL,
	       "TLS handshakes by what the client offered and the server chose. Never sum over "
	       "role.");
	for (s = agg->handshakes; s; s = s->hh.next) {
		const struct series_id *id = &s->id;
		struct port_text port = port_text(id);

		expo_sample(p->out, "alpn_handshakes_total", "service_name", id->service,
			    "server_port", port.text, "role", role_name(id->role), "peer",
			    id->peer_local ? "local" : "remote", "transport", "tcp", "offered",
			    id->offered, "next_protocol", id->protocol, "outcome",
			    outcome_name(id->outcome), *id->address ? "server_address" : NULL,
			    id->address, NULL);
		expo_number(p->out, s->count);
	}
}

static const char *version_label(uint16_t version)
{
	static const char *const names[] = {"1.0", "1.1", "1.2", "1.3"};

	return version >= 0x0301 && version <= 0x0304 ? names[version - 0x0301] : "unknown";
}

static void write_evidence(const struct page *p, const struct aggregate *agg)
{
	const struct series *s;

	family(p, EXPO_COUNTER, "alpn_handshake_evidence", NULL,
	       "TLS handshakes by how the choice is known.");
	for (s = agg->evidence; s; s = s->hh.next) {
		expo_sample(p->out, "alpn_handshake_evidence_total", "service_name", s->id.service,
			    "role", role_name(s->id.role), "tls_version",
			    version_label(s->id.version), "evidence", evidence_name(s->id.evidence),
			    "grade", s->id.grade ? grade_name(s->id.grade) : "none", NULL);
		expo_number(p->out, s->count);
	}
}

static void service_sample(const struct page *p, const char *name, const struct series_id *id)
{
	struct port_text port = port_text(id);

	expo_sample(p->out, name, "service_name", id->service, "server_port", port.text, "role",
		    role_name(id->role), NULL);
}

static const struct service_series *first_service(const struct aggregate *agg)
{
	return (const struct service_series *)agg->services;
}

static const struct service_series *next_service(const struct service_series *s)
{
	return (const struct service_series *)s->series.hh.next;
}

static void write_fallbacks(const struct page *p, const struct aggregate *agg)
{
	const struct service_series *s;

	family(p, EXPO_COUNTER, "alpn_fallbacks", NULL,
	       "Handshakes that fell short of what the service should get, by cause.");
	for (s = first_service(agg); s; s = next_service(s)) {
		struct port_text port = port_text(&s->series.id);

		for (enum cause c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
			expo_sample(p->out, "alpn_fallbacks_total", "service_name",
				    s->series.id.service, "server_port", port.text, "role",
				    role_name(s->series.id.role), "cause", cause_name(c), NULL);
			expo_number(p->out, s->fallbacks[c]);
		}
	}
}

static void write_failures(const struct page *p, const struct aggregate *agg)
{
	const struct service_series *s;

	family(p, EXPO_COUNTER, "alpn_rejections", NULL,
	       "Handshakes refused with the alert no_application_protocol.");
	for (s = first_service(agg); s; s = next_service(s)) {
		service_sample(p, "alpn_rejections_total", &s->series.id);
		expo_number(p->out, s->rejections);
	}
	family(p, EXPO_COUNTER, "alpn_violations", NULL,
	       "Handshakes in which the server chose what was not offered, more than one, or an "
	       "empty name.");
	for (s = first_service(agg); s; s = next_service(s)) {
		service_sample(p, "alpn_violations_total", &s->series.id);
		expo_number(p->out, s->violations);
	}
}

static void write_downgrades(const struct page *p, const struct aggregate *agg)
{
	static const char *const signal[] = {[DOWNGRADE_FALLBACK_SCSV] = "fallback_scsv",
					     [DOWNGRADE_SENTINEL] = "downgrade_sentinel"};
	const struct service_series *s;

	family(p, EXPO_COUNTER, "alpn_downgrade_signals", NULL,
	       "Handshakes in which an end told of a downgraded TLS version, by signal.");
	for (s = first_service(agg); s; s = next_service(s)) {
		struct port_text port = port_text(&s->series.id);

		for (enum downgrade d = 0; d < DOWNGRADE_COUNT; d++) {
			expo_sample(p->out, "alpn_downgrade_signals_total", "service_name",
				    s->series.id.service, "server_port", port.text, "role",
				    role_name(s->series.id.role), "signal", signal[d], NULL);
			expo_number(p->out, s->downgrades[d]);
		}
	}
}

static void write_expected(const struct page *p, const struct aggregate *agg)
{
	const struct service_series *s;

	family(p, EXPO_INFO, "alpn_service_expected", NULL,
	       "What a service should negotiate, best first, and who says so.");
	for (s = first_service(agg); s; s = next_service(s)) {
		char names[EXPECT_MAX * EXPECT_NAME_MAX] = "";
		struct port_text port = port_text(&s->series.id);

		if (s->expect.source == EXPECT_NONE)
			continue;
		for (unsigned int i = 0; i < s->expect.count; i++) {
			size_t used = strlen(names);

			snprintf(names + used, sizeof(names) - used, "%s%s", i ? "," : "",
				 s->expect.name[i]);
		}
		expo_sample(p->out, "alpn_service_expected_info", "service_name",
			    s->series.id.service, "server_port", port.text, "role",
			    role_name(s->series.id.role), "expected_protocol", names, "source",
			    s->expect.source == EXPECT_CONFIGURED ? "configured" : "observed",
			    NULL);
		expo_number(p->out, 1);
	}
}

/* A time that never was has no sample: at 0 it would read as 1970. */
static void write_times(const struct page *p, const struct aggregate *agg)
{
	const struct service_series *s;

	family(p, EXPO_GAUGE, "alpn_last_fallback_timestamp_seconds", "seconds",
	       "When the last handshake began that fell back by the server's doing.");
	for (s = first_service(agg); s; s = next_service(s)) {
		if (!s->last_fallback_ns)
			continue;
		service_sample(p, "alpn_last_fallback_timestamp_seconds", &s->series.id);
		expo_seconds(p->out, (uint64_t)s->last_fallback_ns);
	}
	family(p, EXPO_GAUGE, "alpn_last_expected_timestamp_seconds", "seconds",
	       "When the last handshake began in which the expected protocol was chosen.");
	for (s = first_service(agg); s; s = next_service(s)) {
		if (!s->last_expected_ns)
			continue;
		service_sample(p, "alpn_last_expected_timestamp_seconds", &s->series.id);
		expo_seconds(p->out, (uint64_t)s->last_expected_ns);
	}
}

static void write_delay(const struct page *p, const struct aggregate *agg)
{
	family(p, EXPO_HISTOGRAM, "alpn_server_hello_delay_seconds", "seconds",
	       "From the ClientHello to the ServerHello, as seen here.");
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		const struct delay *d = &agg->delay[role];
		uint64_t below = 0;

		for (unsigned int i = 0; i < AGGREGATE_DELAY_BUCKETS; i++) {
			below += d->bucket[i];
			expo_sample(p->out, "alpn_server_hello_delay_seconds_bucket", "role",
				    role_name(role), "le", aggregate_delay_bounds[i].le, NULL);
			expo_number(p->out, below);
		}
		expo_sample(p->out, "alpn_server_hello_delay_seconds_sum", "role", role_name(role),
			    NULL);
		expo_seconds(p->out, d->sum_ns);
		expo_sample(p->out, "alpn_server_hello_delay_seconds_count", "role",
			    role_name(role), NULL);
		expo_number(p->out, d->count);
	}
}

static const struct engine_counter {
	const char *family, *reason, *help;
} engine_counters[AS_COUNTER_COUNT] = {
#define AS_COUNTER(id, number, family, reason, help) [number] = {family, reason, help},
	AS_COUNTERS(AS_COUNTER)
#undef AS_COUNTER
};

/* Families with reasons have their help here, the others beside their number. */
static const char *engine_help(const struct engine_counter *c)
{
	static const char *const help[][2] = {
		{"repeats", "ClientHello messages that were the same hello again."},
		{"lost", "ClientHello messages that did not become a record, by reason."},
		{"orphan_lost", "ServerHello messages without their ClientHello that did not "
				"become a record, by reason."},
		{"parse_errors", "Things on the wire that could not be read as they should, by "
				 "reason."},
	};

	for (size_t i = 0; i < sizeof(help) / sizeof(help[0]); i++)
		if (!strcmp(c->family, help[i][0]))
			return help[i][1];
	return c->help;
}

static bool same_family(unsigned int a, unsigned int b)
{
	return !strcmp(engine_counters[a].family, engine_counters[b].family);
}

static bool family_seen(unsigned int number)
{
	for (unsigned int i = 0; i < number; i++)
		if (engine_counters[i].family && same_family(i, number))
			return true;
	return false;
}

static void write_engine_family(const struct page *p, unsigned int first, const uint64_t *counter)
{
	char name[64], sample[72];

	snprintf(name, sizeof(name), "alpnscope_%s", engine_counters[first].family);
	snprintf(sample, sizeof(sample), "%s_total", name);
	family(p, EXPO_COUNTER, name, NULL, engine_help(&engine_counters[first]));
	for (unsigned int i = first; i < AS_COUNTER_COUNT; i++) {
		const struct engine_counter *c = &engine_counters[i];

		if (!c->family || !same_family(i, first))
			continue;
		if (*c->reason)
			expo_sample(p->out, sample, "reason", c->reason, NULL);
		else
			expo_sample(p->out, sample, NULL);
		expo_number(p->out, counter[i]);
	}
}

/* Numbers are given once and for all: one family's may lie apart, and one that was taken
 * back leaves a hole. */
static void write_engine(const struct page *p, const uint64_t *counter)
{
	for (unsigned int i = 0; i < AS_COUNTER_COUNT; i++)
		if (engine_counters[i].family && !family_seen(i))
			write_engine_family(p, i, counter);
}

static void write_interfaces(const struct page *p, const struct metrics_self *self)
{
	const char *const state[] = {"attached", "failed", "skipped"};
	const uint64_t count[] = {self->attached, self->failed, self->skipped};

	family(p, EXPO_GAUGE, "alpnscope_interfaces", NULL,
	       "Network interfaces, by whether we watch them.");
	for (unsigned int i = 0; i < 3; i++) {
		expo_sample(p->out, "alpnscope_interfaces", "state", state[i], NULL);
		expo_number(p->out, count[i]);
	}
}

static void write_running(const struct page *p, const struct metrics_self *self)
{
	family(p, EXPO_GAUGE, "alpnscope_start_time_seconds", "seconds",
	       "When observing began, and every counter was 0.");
	expo_sample(p->out, "alpnscope_start_time_seconds", NULL);
	expo_number(p->out, self->start_time);
	family(p, EXPO_INFO, "alpnscope_build", NULL, "What is running.");
	expo_sample(p->out, "alpnscope_build_info", "version", self->version, "libbpf",
		    self->libbpf, "hook", self->hook, NULL);
	expo_number(p->out, 1);
}

static void write_agent(const struct page *p, const struct aggregate *agg,
			const struct metrics_self *self)
{
	single(p, EXPO_GAUGE, "alpnscope_in_flight", "alpnscope_in_flight",
	       "Handshakes that have begun and not ended.", self->in_flight);
	single(p, EXPO_GAUGE, "alpnscope_flow_table_limit", "alpnscope_flow_table_limit",
	       "The most handshakes that can be in flight.", self->flow_table_limit);
	single(p, EXPO_GAUGE, "alpnscope_reassembly_in_use", "alpnscope_reassembly_in_use",
	       "Hellos in several segments that are being put together.", self->reassembly_in_use);
	single(p, EXPO_GAUGE, "alpnscope_reassembly_table_limit",
	       "alpnscope_reassembly_table_limit",
	       "The most hellos that can be put together at one time.", self->reassembly_limit);
	single(p, EXPO_COUNTER, "alpnscope_events_received_total", "alpnscope_events_received",
	       "Records that the agent took from the kernel.", self->received);
	single(p, EXPO_COUNTER, "alpnscope_events_counted_total", "alpnscope_events_counted",
	       "Records that were judged and counted.", self->counted);
	single(p, EXPO_COUNTER, "alpnscope_events_merged_total", "alpnscope_events_merged",
	       "Records of a handshake that another record tells of, under other addresses or "
	       "ports.",
	       self->merged);
	single(p, EXPO_GAUGE, "alpnscope_events_held", "alpnscope_events_held",
	       "Records that wait for others of the same handshake.", self->held);
	write_interfaces(p, self);
	single(p, EXPO_COUNTER, "alpnscope_series_overflow_total", "alpnscope_series_overflow",
	       "Handshakes, by end, that were counted under service_name _overflow, a table being "
	       "full.",
	       agg->overflow);
	single(p, EXPO_COUNTER, "alpnscope_expectations_refused_total",
	       "alpnscope_expectations_refused",
	       "Times that the protocol of a service was not learned, the book being full.",
	       self->expectations_refused);
	single(p, EXPO_GAUGE, "alpnscope_learned_servers", "alpnscope_learned_servers",
	       "Servers whose TLS 1.3 flights are remembered.", self->learned_servers);
	single(p, EXPO_COUNTER, "alpnscope_learned_servers_evicted_total",
	       "alpnscope_learned_servers_evicted",
	       "Servers that were forgotten, the table being full.", self->learned_servers_evicted);
	single(p, EXPO_GAUGE, "alpnscope_config_last_reload_successful",
	       "alpnscope_config_last_reload_successful",
	       "1 when the configuration was last read without an error, else 0.",
	       self->config_loaded);
	if (self->config_loaded_ns) {
		family(p, EXPO_GAUGE, "alpnscope_config_last_reload_success_timestamp_seconds",
		       "seconds", "When the configuration was last read without an error.");
		expo_sample(p->out, "alpnscope_config_last_reload_success_timestamp_seconds", NULL);
		expo_seconds(p->out, (uint64_t)self->config_loaded_ns);
	}
	write_running(p, self);
}

void metrics_write(struct buf *out, enum expo_format format, const struct aggregate *agg,
		   const struct metrics_self *self)
{
	const struct page page = {out, format};

	write_handshakes(&page, agg);
	write_evidence(&page, agg);
	write_fallbacks(&page, agg);
	write_failures(&page, agg);
	write_downgrades(&page, agg);
	write_expected(&page, agg);
	write_times(&page, agg);
	write_delay(&page, agg);
	write_engine(&page, self->counter);
	write_agent(&page, agg, self);
	if (self->library)
		metrics_library(out, format, self->library, self->check);
	if (!self->guest)
		process_write(out, format);
	expo_end(out, format);
}
