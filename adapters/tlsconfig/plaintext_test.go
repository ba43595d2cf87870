package tlsconfig_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/tlsconfig"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// TestPlaintext checks which hosts are other ones. Names are not resolved, so that a name of this host counts as one.
func TestPlaintext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hosts []string
		named string // "" if there is no such connection
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"localhost"}, ""},
		{[]string{"127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"}, ""},
		{[]string{"/var/run/postgresql", "@abstract"}, ""},
		{[]string{"db"}, "db"},
		{[]string{"localhost.example.com"}, "localhost.example.com"},
		{[]string{"10.0.0.1"}, "10.0.0.1"},
		{[]string{"0.0.0.0"}, "0.0.0.0"},
		{[]string{"fe80::1%eth0"}, "fe80::1%eth0"},
		{[]string{"b", "localhost", "a", "b"}, "a,b"},
	} {
		p := tlsconfig.NewPlaintext("postgres", "encrypt it", c.hosts...)
		var log bytes.Buffer
		err := p.Check(false, slog.New(slog.NewTextHandler(&log, nil)))
		line := log.String()
		if err != nil || (line != "") != (c.named != "") || c.named != "" && !strings.Contains(line, "host="+c.named+" ") {
			t.Errorf("%q: got %v, logged %s", c.hosts, err, line)
		}
		if err := p.Check(false, nil); err != nil {
			t.Errorf("%q without a logger: got %v", c.hosts, err)
		}

		log.Reset()
		err = p.Check(true, slog.New(slog.NewTextHandler(&log, nil)))
		if (err != nil) != (c.named != "") || err != nil && (!errors.Is(err, domain.ErrInvalid) ||
			!strings.Contains(err.Error(), c.named) || !strings.Contains(err.Error(), "encrypt it")) || log.Len() > 0 {
			t.Errorf("%q, required: got %v, logged %s", c.hosts, err, &log)
		}

		problems := p.Problems()
		if len(problems) > 0 != (c.named != "") || len(problems) > 0 && (problems[0].State != ports.HealthOK ||
			!strings.Contains(problems[0].Detail, c.named) || problems[0].Remedy != "encrypt it") {
			t.Errorf("%q: got %+v", c.hosts, problems)
		}
	}
}
