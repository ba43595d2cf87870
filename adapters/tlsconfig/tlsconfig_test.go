package tlsconfig_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/tlsconfig"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/certs"
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
		cfg, err := tlsconfig.Load(tlsconfig.Files{CA: c.path})
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
		cfg, err := tlsconfig.Load(tlsconfig.Files{CA: path})
		if cfg != nil || !errors.Is(err, domain.ErrInvalid) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, %v", path, cfg, err)
		}
	}
}

// TestClientCertificateIsReadAgain replaces the certificate of a client and its key, one after the other.
func TestClientCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	authority := certs.NewAuthority(t)
	first := authority.Issue(t, "first", time.Now().Add(time.Hour))
	second := authority.Issue(t, "second", time.Now().Add(time.Hour))
	files := tlsconfig.Files{Cert: certs.File(t, first.Cert), Key: certs.File(t, first.Key)}
	config, err := tlsconfig.Load(files)
	if err != nil {
		t.Fatal(err)
	}

	for i, step := range []struct {
		path string
		text []byte
		want certs.Pair
	}{
		{files.Cert, first.Cert, first}, {files.Cert, second.Cert, first}, {files.Key, second.Key, second},
		{files.Key, nil, second}, {files.Key, second.Key, second},
	} {
		if err := os.WriteFile(step.path, step.text, 0o600); err != nil {
			t.Fatal(err)
		}

		got, err := config.GetClientCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}

		want, _ := pem.Decode(step.want.Cert)
		if !bytes.Equal(got.Certificate[0], want.Bytes) {
			t.Errorf("step %d: another certificate", i)
		}
	}

	for _, wrong := range []tlsconfig.Files{
		{Cert: files.Cert}, {Key: files.Key}, {Cert: certs.File(t, first.Cert), Key: files.Key},
	} {
		if config, err := tlsconfig.Load(wrong); config != nil || !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("%+v: got %v", wrong, err)
		}
	}
}
