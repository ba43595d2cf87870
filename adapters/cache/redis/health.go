package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gal-friday/marketdata/adapters/cache/redis/redisconfig"
	"github.com/gal-friday/marketdata/adapters/neterror"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/tlsconfig"
	"github.com/gal-friday/marketdata/ports"
)

var (
	_ ports.HealthChecker   = (*Cache)(nil)
	_ ports.DetailReporter  = (*Cache)(nil)
	_ ports.ProblemReporter = (*Cache)(nil)
)

// Check implements ports.HealthChecker. It writes a value below the prefix that expires after a second, and reads it,
// because a user who may ping may lack the rights that blocks need. It asks the server even if it does not answer
// others.
func (c *Cache) Check(ctx context.Context) error {
	name := c.codec.prefix + "check"
	pipe := c.client.Pipeline()
	pipe.Set(ctx, name, "", time.Second)
	pipe.GetRange(ctx, name, 0, 0)
	if _, err := pipe.Exec(ctx); err != nil {
		return c.translate(err)
	}

	// The version is for people. A user who may not ask for it is as good.
	if info, err := c.client.Info(ctx, "server").Result(); err == nil {
		for line := range strings.Lines(info) {
			if version, found := strings.CutPrefix(strings.TrimSpace(line), "redis_version:"); found {
				c.version.Store(&version)
			}
		}
	}

	return nil
}

// Details implements ports.DetailReporter. The version is known after a check by a user who may call INFO.
func (c *Cache) Details() ports.StoreDetails {
	options := c.client.Options()
	d := ports.StoreDetails{Address: options.Addr, Database: strconv.Itoa(options.DB), User: options.Username}
	if version := c.version.Load(); version != nil {
		d.Version = *version
	}

	return d
}

// Problems implements ports.ProblemReporter. It tells a connection without TLS to another host.
func (c *Cache) Problems(context.Context) ([]ports.Problem, error) {
	return plaintextOf(c.client.Options()).Problems(), nil
}

// translate converts the error of a check.
func (c *Cache) translate(err error) error {
	var file *secret.FileError
	e := &ports.Error{Kind: ports.ErrUnavailable, Op: "check", Store: redisconfig.Name, Err: err}
	switch {
	case ports.ContextKind(err) != nil:
		e.Kind = ports.ContextKind(err)
	case redis.IsAuthError(err):
		e.Kind, e.Remedy = ports.ErrAuth, "correct user and password in MARKETDATA_CACHE_REDIS_URL, or the file of "+
			"cache.redis.password_file"
	case redis.IsPermissionError(err):
		e.Kind = ports.ErrPermission
		e.Remedy = fmt.Sprintf("permit it with ACL SETUSER %s ~%s* +getrange +set +select",
			cmp.Or(c.client.Options().Username, "default"), c.codec.prefix)
	case tlsconfig.IsRefused(err), errors.As(err, &file):
		e.Kind = ports.ErrAuth
	case errors.Is(err, errUnconnected):
		e.Err = fmt.Errorf("%w to %s: %s", errUnconnected, c.client.Options().Addr, neterror.Reason(err))
		e.Remedy = "start the server, or correct MARKETDATA_CACHE_REDIS_URL"
	}

	return e
}
