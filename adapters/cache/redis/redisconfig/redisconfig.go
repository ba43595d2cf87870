// Package redisconfig has the settings of the Redis cache. It is apart from the cache, so that a program that only
// reads configurations does not link the client.
package redisconfig

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/domain"
)

// Name is the name of the cache in a diagnosis.
const Name = "redis"

// Config configures a cache. A field with its zero value has its default.
type Config struct {
	// URL is redis://user:password@host:port/database, or rediss:// for TLS. The user must be allowed GETRANGE and SET of
	// keys that begin with the prefix, and SELECT if the database is not 0.
	URL secret.Secret `env:"URL" yaml:"url"`

	// PasswordFile is a file with the password of the user in the URL, in place of one there. Every new connection reads
	// it, so that a new password needs no restart; connections that are open stay. A line end at its end is ignored.
	PasswordFile string `env:"PASSWORD_FILE" yaml:"password_file"`

	// CAFile is a file of trusted certificates (PEM) for rediss. It defaults to the certificates of the system.
	CAFile string `env:"CA_FILE" yaml:"ca_file"`

	// CertFile and KeyFile have the client's certificate and its key (PEM), for a server that asks for one. Every new
	// connection reads them, so that a new certificate needs no restart.
	CertFile string `env:"CERT_FILE" yaml:"cert_file"`
	KeyFile  string `env:"KEY_FILE"  yaml:"key_file"`

	// RequireTLS makes opening the cache fail with domain.ErrInvalid if the URL is redis:// of another host than this one.
	// Without it that is a warning of the Logger.
	RequireTLS bool `env:"REQUIRE_TLS" yaml:"require_tls"`

	// Prefix begins every key. Processes with the same prefix and Key share their blocks, so they must use the same
	// stores. It defaults to marketdata:.
	Prefix string `env:"PREFIX" yaml:"prefix"`

	// Timeout limits every round trip; a slower one is a miss. It defaults to 25 ms.
	Timeout time.Duration `env:"TIMEOUT" yaml:"timeout"`

	// Key authenticates the blocks: a block that was put with another key is a miss. It is not configured: the program
	// that opens the cache derives it from its deployment. It has at least MinKeySize bytes.
	Key secret.Secret `env:"-" yaml:"-"`

	// Logger receives a warning for a connection without TLS. Nil discards it.
	Logger *slog.Logger `env:"-" yaml:"-"`
}

// MinKeySize is the minimum size of Config.Key, in bytes.
const MinKeySize = 16

// WithDefaults returns the configuration with every default filled in.
func (c Config) WithDefaults() Config {
	c.Prefix = cmp.Or(c.Prefix, "marketdata:")
	c.Timeout = cmp.Or(c.Timeout, 25*time.Millisecond)

	return c
}

// Validate reports every fault at once, defaults applied. Each fault wraps domain.ErrInvalid, and none contains the
// URL, because the URL may have a password. Validate does not require a URL, because a configuration without one has no
// Redis cache, nor a Key, because it is not configured.
func (c Config) Validate() error {
	c = c.WithDefaults()
	var faults []error
	if text := c.URL.Reveal(); text != "" {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "redis" && u.Scheme != "rediss" {
			faults = append(faults, fmt.Errorf("url: use one like redis://user:password@host:6379/0, or rediss:// for TLS: %w",
				domain.ErrInvalid))
		}
	}
	if c.Timeout < time.Millisecond {
		faults = append(faults, fmt.Errorf("timeout %s: must be at least 1ms: %w", c.Timeout, domain.ErrInvalid))
	}

	return errors.Join(faults...)
}
