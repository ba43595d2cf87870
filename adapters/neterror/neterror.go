// Package neterror says in words for people why a server could not be reached.
package neterror

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"syscall"
)

// Reason returns why a connection failed, such as "connection refused" or "host db.example.org not found", without the
// names of calls and the addresses that the error of a dialer repeats. Of an error that it does not know, it returns
// the text. err must not be nil.
func Reason(err error) string {
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		if lookup.IsNotFound {
			return "host " + lookup.Name + " not found"
		}
		return "host " + lookup.Name + ": " + lookup.Err
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	if refused, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return refused.Error()
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "timeout"
	}
	if errors.Is(err, context.Canceled) {
		return "canceled"
	}

	return strings.TrimSpace(err.Error())
}
