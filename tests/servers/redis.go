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

// Redis returns the redis:// URL of an empty server of this test alone, stopped when the test ends. Where MARKETDATA_TEST_REDIS names
// a server, that one is returned as it is: it is shared, so a test gives its keys a prefix of their own.
func Redis(tb testing.TB) (address string) {
	tb.Helper()
	if address := os.Getenv(EnvRedis); address != "" {
		return address
	}

	p, address, err := startRedis()
	if err != nil {
		missing(tb, EnvRedis, err)
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

	p, address, err := run(nil, func(dir, address string) (*exec.Cmd, error) {
		_, port, err := net.SplitHostPort(address)
		return exec.Command(bin, "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no"), err
	}, pingRedis)
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

	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && answer != "+PONG\r\n" {
		err = fmt.Errorf("unexpected answer %q", answer)
	}
	return err
}
