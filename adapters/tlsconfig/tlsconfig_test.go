package tlsconfig_test

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/tlsconfig"
	"github.com/gal-friday/marketdata/domain"
)

func TestLoadTrustsTheFile(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	path := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	if err := os.WriteFile(path, pem.EncodeToMemory(&block), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		path    string
		trusted bool
	}{{path, true}, {"", false}} {
		cfg, err := tlsconfig.Load(c.path)
		if err != nil {
			t.Fatal(err)
		}

		transport := &http.Transport{TLSClientConfig: cfg}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}

		response, err := transport.RoundTrip(request)
		if (err == nil) != c.trusted {
			t.Errorf("with the file %q: %v", c.path, err)
		}
		if err == nil {
			_ = response.Body.Close()
		}
		transport.CloseIdleConnections()
	}
}

func TestLoadFails(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	for _, path := range []string{empty, filepath.Join(t.TempDir(), "absent.pem")} {
		cfg, err := tlsconfig.Load(path)
		if cfg != nil || !errors.Is(err, domain.ErrInvalid) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, %v", path, cfg, err)
		}
	}
}
