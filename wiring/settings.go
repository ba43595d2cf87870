package wiring

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// settingHelp explains each setting of the configuration by its path in the file, a line of the comment each.
var settingHelp = map[string][]string{
	"service.timeout":       {"Limit of a request without a deadline of its own."},
	"service.store_timeout": {"Limit of a single call of a store."},
	"service.max_bars":      {"Most bars, trades or quotes of one result; 0 is no limit. Export has no limit."},
	"service.max_slots":     {"Most bars that a range may have, whether they exist or not; 0 is no limit."},
	"service.max_reads":     {"Most reads of stores in the plan of one request; 0 is no limit."},
	"service.settle":        {"Time after its end in which a bar may not be written yet."},
	"service.audit":         {"Log a record of each request: operation, symbol, range, rows, outcome."},
	"service.symbol_ttl":    {"How long a known symbol stays known without another read."},

	"sqlite.path": {"The database file, on a local disk; it is used if no server is configured."},

	"postgres.dsn": {
		"The server, like postgres://user@host/database?sslmode=verify-full",
		"(a secret, because it may have a password).",
	},
	"postgres.password_file": {
		"File with the password, in place of one in the DSN; every new connection reads it,",
		"so that a new password needs no restart.",
	},
	"postgres.require_tls":       {"Refuse an sslmode of the DSN that permits connections without TLS to another host."},
	"postgres.min_conns":         {"Connections that stay open."},
	"postgres.max_conns":         {"Most connections; a read uses one until it ends."},
	"postgres.acquire_timeout":   {"How long a call waits for a connection when all are in use."},
	"postgres.connect_timeout":   {"Limit of the opening of a connection."},
	"postgres.statement_timeout": {"Limit of one statement."},
	"postgres.slow_query":        {"A call that takes longer is logged as slow."},
	"postgres.batch_rows":        {"Rows that a write stages at once."},
	"postgres.trace_connections": {
		"Name a connection after the traceparent of the call that uses it, for the log of the server;",
		"the command takes it from the variable TRACEPARENT.",
	},
	"postgres.migrate_on_open": {"Create or upgrade the tables whenever the store is opened."},

	"influx.url": {"The server, like https://host:8086; without one, PostgreSQL stores all bars."},
	"influx.token": {
		"The token of InfluxDB 2.x, or user:password of 1.8 (a secret).",
	},
	"influx.ca_file": {"File of trusted certificates (PEM); empty for those of the system."},
	"influx.token_file": {
		"File with the token, in place of influx.token; every request reads it,",
		"so that a new token needs no restart.",
	},
	"influx.cert_file":          {"File with the certificate (PEM) of this client; every new connection reads it."},
	"influx.key_file":           {"File with the key (PEM) of that certificate."},
	"influx.require_tls":        {"Refuse an http:// URL of another host."},
	"influx.database":           {"The database of 1.8, or that of the DBRP mapping of 2.x."},
	"influx.retention_policy":   {"The retention policy of 1.8; empty for that of the database."},
	"influx.org":                {"The organisation of 2.x; empty for 1.8."},
	"influx.bucket":             {"The bucket of 2.x; empty for 1.8."},
	"influx.measurement":        {"The measurement of the bars."},
	"influx.batch_size":         {"Bars of one write request."},
	"influx.chunk_size":         {"Bars that the server sends at once."},
	"influx.max_response_bytes": {"Largest response to one statement, in bytes."},
	"influx.slow_query":         {"A call that takes longer is logged as slow."},
	"influx.compress":           {"Compress requests and responses, for a slow network."},

	"influx.existing.frequency":   {"Frequency of bars that another program writes; they are read and never written."},
	"influx.existing.measurement": {"The measurement of those bars."},
	"influx.existing.symbol_tag":  {"The tag with the trading pair."},
	"influx.existing.venue_tag":   {"The tag with the exchange."},
	"influx.existing.tags":        {"Tag values of the bars; in the variable as data_type:ohlcv."},

	"cache.disabled":          {"Read the stores at every request."},
	"cache.bytes":             {"Memory of the cache in this process, in bytes."},
	"cache.lease":             {"How long the version of a series is believed."},
	"cache.unversioned_lease": {"How long the coverage of a store without versions is believed."},
	"cache.unversioned_ttl":   {"How long bars of a store without versions are kept."},
	"cache.read_timeout":      {"Limit of one read of a store for the cache."},
	"cache.max_blocks":        {"A longer read goes past the cache; a block has up to 4096 bars."},
	"cache.read_ahead":        {"Blocks that are read ahead of a reader that moves forward."},
	"cache.redis.url": {
		"Redis that processes share, like rediss://user:password@host:6379/0",
		"(a secret); without one, each process has a cache of its own.",
	},
	"cache.redis.ca_file": {"File of trusted certificates (PEM) for rediss; empty for those of the system."},
	"cache.redis.password_file": {
		"File with the password of the user in the URL; every new connection reads it,",
		"so that a new password needs no restart.",
	},
	"cache.redis.cert_file":   {"File with the certificate (PEM) of this client; every new connection reads it."},
	"cache.redis.key_file":    {"File with the key (PEM) of that certificate."},
	"cache.redis.require_tls": {"Refuse a redis:// URL of another host."},
	"cache.redis.prefix":      {"The beginning of every key."},
	"cache.redis.timeout":     {"Limit of a round trip; a slower one is a miss."},

	"high_frequency_below": {"InfluxDB stores bars that are shorter; PostgreSQL stores the others."},
	"max_in_flight_bytes": {
		"Memory of the rows between this process and its servers, in bytes; writes get a quarter.",
		"A call that gets no part of it in half of its time is refused as overloaded.",
	},
	"symbol_cache_bytes": {"Memory of the cache of symbols, in bytes."},
}

// setting is one value of the configuration.
type setting struct {
	path      string // in the file: service.timeout
	variable  string // the environment variable
	unset     string // the text of the default
	isOmitted bool   // YAML leaves it out, because it is empty
}

// comment returns the lines of the comment above the setting.
func (s setting) comment() []string {
	unset := s.unset
	if unset == "" {
		unset = "empty"
	}

	return append(slices.Clone(settingHelp[s.path]), s.variable+", default "+unset)
}

// settings returns the settings of c in the order of the file.
func (c Config) settings() []setting {
	return appendSettings(nil, reflect.ValueOf(c), reflect.ValueOf(Config{}.WithDefaults()), "", EnvPrefix)
}

// appendSettings appends the settings of the struct. path and prefix begin the names of its fields in the file and in
// the environment.
func appendSettings(all []setting, value, defaults reflect.Value, path, prefix string) []setting {
	for i := range value.NumField() {
		tag := value.Type().Field(i).Tag
		name, options, _ := strings.Cut(tag.Get("yaml"), ",")
		key := tag.Get("env")
		switch {
		case name == "-":
		case key == "" && options == "inline":
			all = appendSettings(all, value.Field(i), defaults.Field(i), path, prefix)
		case key == "":
			all = appendSettings(all, value.Field(i), defaults.Field(i), path+name+".", prefix+tag.Get("envPrefix"))
		default:
			all = append(all, setting{
				path: path + name, variable: prefix + key, unset: valueText(defaults.Field(i)),
				isOmitted: options == "omitempty" && value.Field(i).IsZero(),
			})
		}
	}

	return all
}

// valueText returns the text of a setting.
func valueText(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}

	switch value := v.Interface().(type) {
	case map[string]string:
		var pairs []string
		for _, key := range slices.Sorted(maps.Keys(value)) {
			pairs = append(pairs, key+":"+value[key])
		}

		return strings.Join(pairs, ",")
	default:
		if v.IsZero() && v.Kind() != reflect.Bool && v.Kind() != reflect.Int64 {
			return ""
		}

		return fmt.Sprint(value)
	}
}

// YAML returns the effective configuration, with every default filled in, in the format that Load reads. A comment
// above each setting explains it and has its environment variable and its default. Each secret is "(hidden)", which
// Load rejects, so a user must write the secrets or remove those lines.
func (c Config) YAML() ([]byte, error) {
	c = c.WithDefaults()

	comments := yaml.CommentMap{}
	var above []string
	for _, s := range c.settings() {
		above = append(above, s.comment()...)
		if s.isOmitted {
			above = append(above, s.path[strings.LastIndexByte(s.path, '.')+1:]+": (not set)")
			continue
		}

		for i := range above {
			above[i] = " " + above[i]
		}
		comments["$."+s.path] = []*yaml.Comment{yaml.HeadComment(above...)}
		above = nil
	}

	return yaml.MarshalWithOptions(c, yaml.WithComment(comments))
}
