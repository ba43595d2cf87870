package redis_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

// TestPasswordFileRotates changes the password twenty times while four goroutines read. No round trip fails, and new
// connections use the new password.
func TestPasswordFileRotates(t *testing.T) {
	t.Parallel()
	url := servers.Redis(t)
	_, behind, _ := open(t, url, patient)
	options, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}

	user, path := "user_"+rand.Text(), filepath.Join(t.TempDir(), "password")
	prefix := user + ":"
	acl := func(rules ...string) {
		if err := behind.Do(t.Context(), append([]any{"ACL", "SETUSER", user}, anys(rules)...)...).Err(); err != nil {
			t.Error(err)
		}
	}
	write := func(text string) {
		err := os.WriteFile(path+".new", []byte(text), 0o600)
		if err = errors.Join(err, os.Rename(path+".new", path)); err != nil {
			t.Error(err)
		}
	}
	acl("on", ">word-0", "~"+prefix+"*", "-@all", "+getrange", "+set", "+select")
	t.Cleanup(func() { behind.Do(context.Background(), "ACL", "DELUSER", user) })
	write("word-0\n")
	cfg := redis.Config{
		URL: secret.New("redis://" + user + "@" + options.Addr), Prefix: prefix, PasswordFile: path, Timeout: patient,
	}
	c := openCache(t, cfg)
	put(t, c, 1, block(t, 1, 10))

	ctx, stop := context.WithCancel(t.Context())
	var readers, connected sync.WaitGroup
	for range 4 {
		connected.Add(1)
		readers.Go(func() {
			first := sync.OnceFunc(connected.Done)
			defer first()
			for ctx.Err() == nil {
				if _, ok := get(t, c, 1); !ok {
					t.Error("the block is a miss")
					return
				}

				first()
			}
		})
	}
	connected.Wait()

	for i := 1; i <= 20 && !t.Failed(); i++ {
		acl(">word-" + strconv.Itoa(i))
		write("word-" + strconv.Itoa(i) + "\n")
		acl("<word-" + strconv.Itoa(i-1))
		if err := openCache(t, cfg).Check(t.Context()); err != nil { // on a new connection
			t.Errorf("after the rotation %d: %v", i, err)
		}
	}
	stop()
	readers.Wait()
	if s := c.Stats(); s.Failed > 0 || s.Skipped > 0 {
		t.Errorf("got %+v", s)
	}

	for _, text := range []string{"word-0", ""} {
		write(text)
		if err := openCache(t, cfg).Check(t.Context()); !errors.Is(err, ports.ErrAuth) || strings.Contains(err.Error(), "word-0") {
			t.Errorf("with the file %q: got %v", text, err)
		}
	}
}
