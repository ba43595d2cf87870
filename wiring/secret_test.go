package wiring_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/gal-friday/marketdata/wiring"
)

const canary = "canary-5f3e"

// No output of a secret, or of a value that contains one, shows its text, not even through an unexported field.
func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	secret := wiring.NewSecret(canary)
	cfg := wiring.Config{
		Postgres: wiring.Postgres{DSN: wiring.NewSecret("postgres://trader:" + canary + "@db/market")},
		Influx:   wiring.Influx{Token: secret},
		Cache: wiring.Cache{Redis: wiring.Redis{
			URL: wiring.NewSecret("redis://u:" + canary + "@cache:6379"), Key: wiring.NewSecret(canary),
		}},
	}
	type inside struct{ secret any }
	var printed bytes.Buffer
	for _, v := range []any{
		secret, &secret, cfg, &cfg, cfg.Postgres, cfg.Influx, cfg.Cache,
		inside{secret}, inside{cfg}, []any{cfg}, map[string]any{"x": secret},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
			fmt.Fprintf(&printed, verb+"\n", v)
		}
		if text, err := json.Marshal(v); err == nil {
			printed.Write(text)
		}
		if text, err := yaml.Marshal(v); err == nil {
			printed.Write(text)
		}
		slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "v", v)
		fmt.Fprintln(&printed, errors.Join(fmt.Errorf("open %v: %s", v, secret)))
	}

	if text := printed.String(); strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
		i := max(0, strings.Index(text, canary))
		t.Errorf("printed: %s", text[max(0, i-100):min(len(text), i+100)])
	}

	if secret.Reveal() != canary || secret.String() != "(hidden)" ||
		(wiring.Secret{}).String() != "" || (wiring.Secret{}).Reveal() != "" {
		t.Error("a secret tells itself, is hidden, and no secret is nothing")
	}
}

func TestSecretsAreReadAndNeverEchoed(t *testing.T) {
	const dsn = "postgres://trader:" + canary + "@db/market"
	c, err := wiring.Load(file(t, "postgres:\n  dsn: "+dsn+
		"\ninflux:\n  url: http://db:8086\n  token: \"user:"+canary+"\"\n"), nil)
	if err != nil || c.Postgres.DSN.Reveal() != dsn || c.Influx.Token.Reveal() != "user:"+canary {
		t.Fatalf("%v, %v", c, err)
	}

	text, err := c.YAML()
	if err != nil || bytes.Contains(text, []byte(canary)) || !bytes.Contains(text, []byte("dsn: (hidden)")) {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := wiring.Load(file(t, string(text)), nil); err == nil || !strings.Contains(err.Error(), "hidden") {
		t.Errorf("what is hidden was taken for the secret: %v", err)
	}
	for _, wrong := range []string{
		"postgres:\n  dsn: [" + canary + "]\n",
		"postgres:\n  dsn: {a: " + canary + "}\n",
		"postgres:\n  dsn:" + canary + "\n",
		"postgres: " + canary + "\n",
		"influx:\n  token: \"" + canary + "\n",
		"influx:\n  url: http://user:" + canary + "@db:8086\n",
		"influx:\n  url: \"http://%zz" + canary + "\"\n",
		"cache:\n  redis:\n    url: \"redis://u:" + canary + "@%zz\"\n",
		"cache:\n  redis:\n    url: [" + canary + "]\n",
	} {
		if _, err := wiring.Load(file(t, wrong), nil); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%q: %v", wrong, err)
		}
	}

	t.Setenv("MARKETDATA_POSTGRES_DSN", dsn)
	t.Setenv("MARKETDATA_INFLUX_TOKEN", canary)
	t.Setenv("MARKETDATA_HIGH_FREQUENCY_BELOW", "1d")
	c, err = wiring.Load("", nil)
	if err != nil || c.Postgres.DSN.Reveal() != dsn || c.Influx.Token.Reveal() != canary ||
		c.HighFrequencyBelow.String() != "1d" {
		t.Errorf("%v, %v", c, err)
	}
}
