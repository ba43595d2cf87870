package redis_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

// TestCheck checks as users with different rights. A user with the rights of docs/operations.md is enough; what others
// lack is told, with the command that permits it.
func TestCheck(t *testing.T) {
	t.Parallel()
	url := servers.Redis(t)
	c, behind, prefix := open(t, url, patient)
	if err := c.Check(t.Context()); err != nil || c.Details().Version == "" || c.Details().Address == "" {
		t.Fatalf("got %v, %+v", err, c.Details())
	}

	for rights, kind := range map[string]error{
		"+getrange +set +select": nil, "+getrange +select": ports.ErrPermission, "+set +select": ports.ErrPermission,
	} {
		user := "user_" + rand.Text()
		words := append([]any{"ACL", "SETUSER", user, "on", ">secret", "~" + prefix + "*", "-@all"}, anys(strings.Fields(rights))...)
		if err := behind.Do(t.Context(), words...).Err(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { behind.Do(context.Background(), "ACL", "DELUSER", user) })
		as := func(password string) error {
			options, err := goredis.ParseURL(url)
			if err != nil {
				t.Fatal(err)
			}

			address := "redis://" + user + ":" + password + "@" + options.Addr

			return openCache(t, redis.Config{URL: secret.New(address), Prefix: prefix, Timeout: patient}).Check(t.Context())
		}
		err := as("secret")
		if (err == nil) != (kind == nil) || kind != nil && !errors.Is(err, kind) {
			t.Errorf("%s: got %v, want %v", rights, err, kind)
		}
		if kind != nil && !strings.Contains(err.Error(), "; permit it with ACL SETUSER "+user) {
			t.Errorf("%s: got %v without the remedy", rights, err)
		}
		if err := as("wrong"); !errors.Is(err, ports.ErrAuth) || strings.Contains(err.Error(), "wrong@") {
			t.Errorf("a wrong password: got %v", err)
		}
	}
}

func anys(words []string) (all []any) {
	for _, w := range words {
		all = append(all, w)
	}

	return all
}
