package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/gal-friday/marketdata/adapters/cache/redis/redisconfig"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/tlsconfig"
	"github.com/gal-friday/marketdata/domain"
)

// newOptions returns the options of the server in the configuration. Errors do not contain the URL.
func newOptions(cfg Config) (*redis.Options, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}

	options, err := redis.ParseURL(cfg.URL.Reveal())
	if err != nil {
		return nil, fmt.Errorf("url: use one like redis://user:password@host:6379/0: %w", domain.ErrInvalid)
	}

	if err := plaintextOf(options).Check(cfg.RequireTLS, cfg.Logger); err != nil {
		return nil, err
	}

	trusted, err := tlsconfig.Load(tlsconfig.Files{CA: cfg.CAFile, Cert: cfg.CertFile, Key: cfg.KeyFile})
	if err != nil {
		return nil, err
	}
	if options.TLSConfig != nil && trusted != nil {
		trusted.ServerName = options.TLSConfig.ServerName
		options.TLSConfig = trusted
	}

	if user := options.Username; cfg.PasswordFile != "" {
		options.CredentialsProviderContext = func(context.Context) (string, string, error) {
			password, err := secret.ReadFile("password_file", cfg.PasswordFile)
			return user, password, err
		}
	}

	return options, nil
}

// plaintextOf returns the connections to the server that are not encrypted.
func plaintextOf(options *redis.Options) tlsconfig.Plaintext {
	if options.TLSConfig != nil {
		return tlsconfig.Plaintext{}
	}

	host, _, err := net.SplitHostPort(options.Addr)
	if err != nil {
		host = options.Addr
	}

	const advice = "use a rediss:// URL in MARKETDATA_CACHE_REDIS_URL (cache.redis.url)"

	return tlsconfig.NewPlaintext(redisconfig.Name, advice, host)
}

// connect returns a client that tries everything once, and for no longer than the timeout.
func connect(options *redis.Options, timeout time.Duration) *redis.Client {
	step := timeout * 4 / 5 // also to connect, which go-redis does not end with the context
	options.DialTimeout, options.PoolTimeout, options.ReadTimeout, options.WriteTimeout = step, step, step, step
	options.MaxRetries, options.DialerRetries = -1, 1
	options.ContextTimeoutEnabled = true
	options.Protocol = 2           // in 3, go-redis reads ahead, and prints the errors of that to standard error
	options.DisableIdentity = true // one round trip less in a new connection
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	dial := options.NewDialer()
	options.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return newUnconnected(err), nil
		}

		return conn, nil
	}

	return redis.NewClient(options)
}

// errUnconnected is wrapped by the error of an operation for which there was no connection.
var errUnconnected = errors.New("no connection")

// unconnected stands for a connection that could not be made; every use returns the error of the dial. If dialing
// returned the error, go-redis would print it to standard error, through a logger of the whole process that only the
// program may set. It prints nothing if a new connection fails at its first use.
type unconnected struct {
	net.Conn
	err error
}

func newUnconnected(err error) unconnected {
	conn, other := net.Pipe()
	_ = other.Close() // a pipe's end reports nothing
	return unconnected{Conn: conn, err: fmt.Errorf("%w: %w", errUnconnected, err)}
}

// SetDeadline returns the error of the dial.
func (u unconnected) SetDeadline(time.Time) error { return u.err }

// SetReadDeadline returns the error of the dial.
func (u unconnected) SetReadDeadline(time.Time) error { return u.err }

// SetWriteDeadline returns the error of the dial.
func (u unconnected) SetWriteDeadline(time.Time) error { return u.err }

// Read returns the error of the dial.
func (u unconnected) Read([]byte) (int, error) { return 0, u.err }

// Write returns the error of the dial.
func (u unconnected) Write([]byte) (int, error) { return 0, u.err }
