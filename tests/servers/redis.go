package servers

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Redis returns the redis:// URL of an empty server that only this test uses. It is stopped when the test ends. If
// EnvRedis names a server, Redis returns that one; other tests share it, so a test must prefix its keys.
func Redis(tb testing.TB) (address string) {
	tb.Helper()
	if address := os.Getenv(EnvRedis); address != "" {
		return address
	}

	p, address, err := startRedis()
	if err != nil {
		skipOrFail(tb, EnvRedis, err)
	}
	tb.Cleanup(func() {
		if err := p.stop(); err != nil {
			tb.Errorf("stop redis: %v", err)
		}
	})

	return address
}

func startRedis() (*process, string, error) {
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, "", fmt.Errorf("redis-server: %w", errNotInstalled)
	}

	p, address, err := program{
		command: func(dir, address string) (*exec.Cmd, error) {
			_, port, err := net.SplitHostPort(address)
			return exec.Command(bin,
				"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no"), err
		},
		checkReady: pingRedis,
	}.start()

	return p, "redis://" + address + "/0", err
}

func pingRedis(address string) error {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}

	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}

	reply, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && reply != "+PONG\r\n" {
		err = fmt.Errorf("ping redis: unexpected reply %q", reply)
	}

	return err
}
