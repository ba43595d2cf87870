package neterror_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/gal-friday/marketdata/adapters/neterror"
)

// TestReason takes the errors of a real dialer, because their texts are what people would read.
func TestReason(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithTimeout(t.Context(), -1)
	defer cancel()

	var dialer net.Dialer
	_, refused := dialer.DialContext(t.Context(), "tcp", "127.0.0.1:1")
	_, late := dialer.DialContext(ended, "tcp", "127.0.0.1:1")
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:1/secret?p=x", http.NoBody)
	_, unreached := http.DefaultClient.Do(request)
	lookup := func(e net.DNSError) error { return &net.OpError{Op: "dial", Net: "tcp", Err: &e} }
	missing := lookup(net.DNSError{Err: "no such host", Name: "db.example", IsNotFound: true})
	busy := lookup(net.DNSError{Err: "server misbehaving", Name: "db.example", Server: "10.0.0.1:53"})

	for want, err := range map[string]error{
		"connection refused":                  refused,
		"timeout":                             late,
		"host db.example not found":           missing,
		"host db.example: server misbehaving": busy,
		"canceled":                            fmt.Errorf("acquire: %w", context.Canceled),
		"EOF":                                 io.EOF,
		"x509: certificate signed by unknown authority": x509.UnknownAuthorityError{},
		"tls: failed to verify certificate: x509: certificate signed by unknown authority": fmt.Errorf(
			"10.0.0.1:53: failed to write startup message: write failed: %w",
			&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}),
	} {
		if got := neterror.Reason(err); got != want {
			t.Errorf("%v: %q; want %q", err, got, want)
		}
	}
	for _, err := range []error{unreached, errors.Join(refused, missing)} {
		if got := neterror.Reason(err); got != "connection refused" && got != "host db.example not found" {
			t.Errorf("%v: %q", err, got)
		}
	}
}
