package redis_test

import (
	"crypto/rand"
	"net"
	"os/exec"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/ports/blockcache"
	"github.com/gal-friday/marketdata/tests/servers"
)

// server is a server that a test stops, kills and starts again. It keeps what it saved.
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

// cache returns the cache of a new process.
func (s *server) cache(t *testing.T, timeout time.Duration) *redis.Cache {
	t.Helper()
	return openCache(t, redis.Config{URL: secret.New(s.url), Timeout: timeout})
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

// stores puts a block until it is stored: a busy machine may need a few tries.
func stores(t *testing.T, c *redis.Cache, i int) {
	t.Helper()
	want := block(t, i, 10)
	eventually(t, "a block is stored", func() bool {
		put(t, c, i, want)
		got, ok := get(t, c, i)
		if ok && !equal(got, want) {
			t.Fatalf("got %v", got)
		}

		return ok
	})
}

func has(t *testing.T, c *redis.Cache, i int) bool {
	t.Helper()
	_, ok := get(t, c, i)
	return ok
}

// TestFailsOpenInTime uses a server that is not there, hangs or is stopped: it costs 25 ms a few times and then nothing.
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
			// The slack of the scheduler, and three timeouts in a thousand calls, in a quiet moment: the best of some tries.
			const slack, most = 5 * time.Millisecond, time.Second
			bestSlowest, bestAll := time.Hour, time.Hour
			for range 20 {
				c, end, err := redis.Open(redis.Config{URL: secret.New(url), Prefix: rand.Text(), Key: secret.New(macKey)})
				if err != nil {
					t.Fatal(err)
				}

				if name == "stopped" {
					stores(t, c, 1) // is connected
					stopped.signal(t, syscall.SIGSTOP)
				}

				failed := c.Stats().Failed
				slowest, all := outage(t, c)
				if name == "stopped" {
					stopped.signal(t, syscall.SIGCONT)
				}
				end()
				if failed = c.Stats().Failed - failed; failed > 10 {
					t.Fatalf("%d round trips were tried", failed)
				}
				if skipped := c.Stats().Skipped; skipped < 900 {
					t.Fatalf("only %d of 1,000 calls were skipped", skipped)
				}

				bestSlowest, bestAll = min(bestSlowest, slowest), min(bestAll, all)
				if bestSlowest <= (redis.Config{}).WithDefaults().Timeout+slack && bestAll <= most {
					return
				}
			}

			t.Errorf("a call took %s, a thousand took %s", bestSlowest, bestAll)
		})
	}
}

// outage returns how long calls take, the slowest and all, if the server does not answer. Each call has blocks for
// several round trips.
func outage(t *testing.T, c *redis.Cache) (slowest, all time.Duration) {
	t.Helper()
	var keys []blockcache.Key
	var blocks []blockcache.Block
	for i := range 100 {
		keys, blocks = append(keys, blockKey(i)), append(blocks, block(t, i, 100))
	}

	began := time.Now()
	for i := range 1_000 {
		at := time.Now()
		if i%4 == 0 {
			c.PutBlocks(t.Context(), keys, blocks)
		} else {
			for _, b := range c.GetBlocks(t.Context(), keys) {
				if b.Bars.Len() > 0 {
					t.Fatal("a server that does not answer gave something")
				}
			}
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
		stores(t, c, 1)
		if err := s.behind.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if has(t, c, 1) {
			t.Fatal("a flushed server gave something")
		}
	}

	stores(t, c, 1)
}

// TestKilledAndRestored kills a server, which brings back what it had saved: a block with the version that it had then.
func TestKilledAndRestored(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c, prefix := s.cache(t, 0), redis.Config{}.WithDefaults().Prefix
	stores(t, c, 1)
	if err := s.behind.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}

	put(t, c, 1, pricedBlock(t, 1, 20, 142))
	s.kill(t)
	if has(t, c, 1) {
		t.Error("a killed server gave something")
	}
	s.start(t)
	eventually(t, "what was saved is back", func() bool {
		n, err := s.behind.Exists(t.Context(), name(prefix, 1)).Result()
		return err == nil && n == 1
	})
	if got, ok := get(t, s.cache(t, patient), 1); ok && !equal(got, block(t, 1, 10)) {
		t.Errorf("got version %s, %v", got.Version, got.Bars)
	}
	eventually(t, "the server is used again", func() bool { return has(t, c, 1) })
}

// TestFullServer fills a server: it refuses blocks, and returns those that it has.
func TestFullServer(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.cache(t, patient)
	stores(t, c, 1)
	stores(t, c, 2)
	if err := s.behind.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}

	put(t, c, 1, pricedBlock(t, 1, 20, 142))
	put(t, c, 7, block(t, 7, 10))
	if got, ok := get(t, c, 1); ok && !equal(got, block(t, 1, 10)) {
		t.Errorf("got version %s, %v", got.Version, got.Bars)
	}
	if has(t, c, 7) {
		t.Error("a refused block is there")
	}
	if !has(t, c, 2) {
		t.Error("a full server does not answer")
	}
	if s := c.Stats(); s.Failed != 2 || s.Skipped != 0 {
		t.Errorf("counted %+v", s)
	}
}
