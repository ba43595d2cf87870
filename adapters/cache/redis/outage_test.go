package redis_test

import (
	"context"
	"crypto/rand"
	"net"
	"os/exec"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

// server is one that a test stops, kills and starts again. It keeps what it saved.
type server struct {
	url, port, dir string
	process        *exec.Cmd
	behind         *goredis.Client
}

func startServer(t *testing.T) *server {
	t.Helper()
	servers.Redis(t) // skips, or fails, where there is none
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	address := l.Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	s := &server{url: "redis://" + address + "/0", port: port, dir: t.TempDir()}
	s.behind = goredis.NewClient(&goredis.Options{Addr: address, MaxRetries: 100, DialerRetries: 1})
	t.Cleanup(func() { _ = s.behind.Close() })
	s.start(t)
	t.Cleanup(func() { s.kill(t) })

	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	s.process = exec.Command("redis-server", "--port", s.port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no")
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}

	eventually(t, "the server listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err != nil {
			return false
		}

		return conn.Close() == nil
	})
}

func (s *server) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

func (s *server) kill(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGKILL)
	_ = s.process.Wait() // killed
}

// cache is one of another process than the others.
func (s *server) cache(t *testing.T, timeout time.Duration) *redis.Cache {
	t.Helper()
	c, end, err := redis.Open(t.Context(), redis.Config{URL: secret.New(s.url), Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(end)

	return c
}

func (s *server) name(i int) string {
	return redis.Config{}.WithDefaults().Prefix + "chunk:" + chunkKey(i).String()
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("not so after 20 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // polls a real server
	}
}

// keeps puts a chunk until it is kept: a busy machine may need a few tries.
func keeps(t *testing.T, c *redis.Cache, i int) {
	t.Helper()
	want := chunk(t, i, 10)
	eventually(t, "a chunk is kept", func() bool {
		c.Put(t.Context(), chunkKey(i), want, time.Hour)
		got, ok := c.Get(t.Context(), chunkKey(i))
		if ok && !equal(got, want) {
			t.Fatalf("got %v", got)
		}

		return ok
	})
}

func has(t *testing.T, c *redis.Cache, i int) bool {
	t.Helper()
	_, ok := c.Get(t.Context(), chunkKey(i))
	return ok
}

// A server that is not there, hangs or is stopped costs 25 ms a few times and then nothing.
func TestFailsOpenInTime(t *testing.T) { //nolint:paralleltest // the time is measured
	stopped := startServer(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connects, and never answers
	if err != nil {
		t.Fatal(err)
	}

	defer silent.Close()
	for name, url := range map[string]string{
		"refused": "redis://127.0.0.1:1/0", "silent": "redis://" + silent.Addr().String() + "/0", "stopped": stopped.url,
	} {
		t.Run(name, func(t *testing.T) {
			// The scheduler's slack, and three timeouts in a thousand operations, on a moment that is quiet: the best of some tries.
			const slack, most = 5 * time.Millisecond, time.Second
			bestSlowest, bestAll := time.Hour, time.Hour
			for range 20 {
				c, end, err := redis.Open(t.Context(), redis.Config{URL: secret.New(url), Prefix: rand.Text()})
				if err != nil {
					t.Fatal(err)
				}

				if name == "stopped" {
					keeps(t, c, 1) // is connected
					stopped.signal(t, syscall.SIGSTOP)
				}

				slowest, all := outage(t, c)
				if name == "stopped" {
					stopped.signal(t, syscall.SIGCONT)
				}
				end()
				if failed := c.Stats().Failed; failed > 10 {
					t.Fatalf("%d operations were tried", failed)
				}

				bestSlowest, bestAll = min(bestSlowest, slowest), min(bestAll, all)
				if bestSlowest <= (redis.Config{}).WithDefaults().Timeout+slack && bestAll <= most {
					return
				}
			}

			t.Errorf("an operation took %s, a thousand took %s", bestSlowest, bestAll)
		})
	}
}

// outage is how long operations take, the slowest and all, with a server that does not answer.
func outage(t *testing.T, c *redis.Cache) (slowest, all time.Duration) {
	t.Helper()
	v := chunk(t, 1, 4096)
	began := time.Now()
	for i := range 1_000 {
		at := time.Now()
		switch i % 4 {
		case 0:
			c.Put(t.Context(), chunkKey(1), v, time.Hour)
		case 1, 2:
			if has(t, c, 1) {
				t.Fatal("a server that does not answer gave something")
			}
		default:
			c.Delete(t.Context(), chunkKey(1))
		}

		slowest = max(slowest, time.Since(at))
	}

	return slowest, time.Since(began)
}

func TestFlushed(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.cache(t, patient)
	for range 10 {
		keeps(t, c, 1)
		if err := s.behind.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if has(t, c, 1) {
			t.Fatal("a flushed server gave something")
		}
	}

	keeps(t, c, 1)
}

// What could not be deleted is deleted for every process as soon as the server is back, also if nobody asks for anything.
func TestDeletesAreMadeGood(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c, other := s.cache(t, 0), s.cache(t, patient)
	for i := range 3 {
		keeps(t, c, i)
	}
	s.signal(t, syscall.SIGSTOP)
	for i := range 2 {
		c.Delete(t.Context(), chunkKey(i)) // the one is sent, the other perhaps not tried
		c.Delete(t.Context(), chunkKey(i))
	}

	s.signal(t, syscall.SIGCONT)
	for i := range 2 {
		if has(t, c, i) {
			t.Error("what was deleted is there")
		}
		eventually(t, "deleted for the other process", func() bool { return !has(t, other, i) })
	}

	eventually(t, "the rest is served", func() bool { return has(t, c, 2) && has(t, other, 2) })
}

// Who looked before somebody deleted the key, or put something else there, may have read the store before it changed: what he puts is
// kept from nobody but himself.
func TestPutAfterAChangeIsNotKept(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	other, third := s.cache(t, patient), s.cache(t, patient)
	old, recent := chunk(t, 1, 10), chunk(t, 1, 20)
	for name, change := range map[string]func(){
		"deleted": func() { other.Delete(t.Context(), chunkKey(1)) },
		"put": func() {
			has(t, other, 1)
			other.Put(t.Context(), chunkKey(1), recent, time.Hour)
		},
		"put and deleted": func() {
			has(t, other, 1)
			other.Put(t.Context(), chunkKey(1), recent, time.Hour)
			other.Delete(t.Context(), chunkKey(1))
		},
	} {
		for _, before := range []string{"nothing", "deleted", "a value"} {
			if err := s.behind.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}

			switch before {
			case "deleted":
				third.Delete(t.Context(), chunkKey(1))
			case "a value":
				keeps(t, third, 1)
			}

			slow := s.cache(t, patient)
			has(t, slow, 1)
			change()
			has(t, slow, 1) // another one of its process, who looks later, and joins it
			slow.Put(t.Context(), chunkKey(1), old, time.Hour)
			for _, c := range []*redis.Cache{slow, other, third} {
				if got, ok := c.Get(t.Context(), chunkKey(1)); ok && got.Bars.Equal(old.Bars) {
					t.Errorf("%s, where there was %s: what was read before is served", name, before)
				}
			}

			keeps(t, slow, 1)
		}
	}
}

// The usual case takes one look and one put; who put a value may replace it without another look.
func TestPutIsKept(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c, other := s.cache(t, patient), s.cache(t, patient)
	has(t, c, 1)
	for bars := range 5 {
		want := chunk(t, 1, bars)
		c.Put(t.Context(), chunkKey(1), want, time.Hour)
		if got, ok := other.Get(t.Context(), chunkKey(1)); !ok || !equal(got, want) {
			t.Fatalf("got %v, %v", got.Bars, ok)
		}
	}

	unlooked := s.cache(t, patient)
	unlooked.Put(t.Context(), chunkKey(1), chunk(t, 1, 9), time.Hour)
	if has(t, unlooked, 1) || has(t, other, 1) {
		t.Error("a value is kept by who did not look what is there, or the one before is still there")
	}
}

// A server that was killed and brings back what it had saved has nothing, also for a process that never saw it before.
func TestKilledAndRestored(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.cache(t, 0)
	keeps(t, c, 1)
	if err := s.behind.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}

	c.Delete(t.Context(), chunkKey(1))
	s.kill(t)
	if has(t, c, 1) {
		t.Error("a killed server gave something")
	}
	s.start(t)
	eventually(t, "what was saved is back", func() bool {
		n, err := s.behind.Exists(t.Context(), s.name(1)).Result()
		return err == nil && n == 1
	})
	fresh := s.cache(t, patient)
	if has(t, c, 1) || has(t, fresh, 1) {
		t.Error("what was deleted before the server was killed is there again")
	}
	keeps(t, c, 1)
	eventually(t, "served to the other", func() bool { return has(t, fresh, 1) })
}

// A server that is full refuses values, but still deletes, and serves what it has.
func TestFullServer(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.cache(t, patient)
	keeps(t, c, 1)
	keeps(t, c, 2)
	if err := s.behind.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}

	c.Put(t.Context(), chunkKey(1), chunk(t, 3, 10), time.Hour)
	c.Put(t.Context(), chunkKey(7), chunk(t, 7, 10), time.Hour)
	if has(t, c, 1) || has(t, c, 7) {
		t.Error("a value that was replaced by one that was refused is there")
	}
	if !has(t, c, 2) {
		t.Error("a full server does not serve")
	}
}

// Without a server, nobody is told, and nobody hears; that is said.
func TestInvalidationsWithoutAServer(t *testing.T) {
	t.Parallel()
	c, end, err := redis.Open(t.Context(), redis.Config{URL: secret.New("redis://127.0.0.1:1/0")})
	if err != nil {
		t.Fatal(err)
	}

	defer end()
	if err := c.Publish(t.Context(), ports.Invalidation{}); err == nil {
		t.Error("nobody heard, and it is no error")
	}
	if _, err := c.Subscribe(t.Context()); err == nil {
		t.Error("a subscription without a server")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Subscribe(ctx); err == nil {
		t.Error("a subscription of nobody")
	}
}
