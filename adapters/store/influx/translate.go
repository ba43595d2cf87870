package influx

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	clienthttp "github.com/influxdata/influxdb-client-go/v2/api/http"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// ServerError is what the server answered instead of data.
type ServerError struct {
	Status     int           // of HTTP; 200 where the error came within an answer
	Version    string        // the server's, "" where it did not say
	Message    string        // the server's own words
	RetryAfter time.Duration // how long the server asks to wait; 0 where it does not
}

func (e *ServerError) Error() string {
	if e.Status == http.StatusOK {
		return "server: " + e.Message
	}
	return fmt.Sprintf("server: %d %s: %s", e.Status, http.StatusText(e.Status), e.Message)
}

// newServerError reads what an HTTP error says.
func newServerError(r *http.Response) *ServerError {
	e := &ServerError{Status: r.StatusCode, Version: r.Header.Get("X-Influxdb-Version"), RetryAfter: retryAfter(r.Header)}
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxErrorBody)) // what can be read is all that can be told
	var said struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &said) // likewise
	for _, text := range []string{r.Header.Get("X-Influxdb-Error"), said.Error, said.Message} {
		if text != "" {
			e.Message = clip(text)
			return e
		}
	}

	e.Message = "no reason given"
	if location := r.Header.Get("Location"); location != "" {
		e.Message = "redirects to " + clip(location) + "; give that address if it is right"
	}
	return e
}

// fromClient is newServerError for what the client made of a response.
func fromClient(e *clienthttp.Error) *ServerError {
	text := e.Header.Get("X-Influxdb-Error")
	if text == "" {
		text = e.Message
	}
	return &ServerError{
		Status: e.StatusCode, Version: e.Header.Get("X-Influxdb-Version"), Message: clip(text), RetryAfter: retryAfter(e.Header),
	}
}

// clip bounds how much of a server's words an error repeats.
func clip(text string) string {
	const shown = 400
	if len(text) > shown {
		text = text[:shown] + "..."
	}
	return strings.ToValidUTF8(text, "?")
}

// retryAfter reads both forms of the header: seconds, and a date.
func retryAfter(h http.Header) time.Duration {
	const longest = 24 * time.Hour
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, longest)
	}

	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}

	return min(max(time.Until(at), 0), longest)
}

// kind tells what the server's error is. InfluxDB 1.8 answers 500, or 200 with an error inside, for what no later try can mend,
// so its words count first.
func (e *ServerError) kind() error {
	for _, known := range [...]struct {
		words string
		kind  error
	}{
		{"authentication", ports.ErrAuth},
		{"authorization failed", ports.ErrAuth},
		{"not authorized", ports.ErrPermission},
		{"authorizing", ports.ErrPermission},
		{"requires", ports.ErrPermission}, // "user requires READ"
		{"database not found", ports.ErrSchema},
		{"no database", ports.ErrSchema},
		{"retention policy not found", ports.ErrSchema},
		{"bucket not found", ports.ErrSchema},
		{"field type conflict", ports.ErrSchema},
		{"database is required", ports.ErrSchema},
		{"beyond retention policy", ports.ErrInvalid},
		{"max-concurrent-queries", ports.ErrOverloaded},
		{"query-timeout", ports.ErrTimeout},
		{"timeout", ports.ErrUnavailable}, // of a write
		{"max-select", ports.ErrTooLarge},
		{"max-series-per-database", ports.ErrTooLarge},
		{"max-values-per-tag", ports.ErrTooLarge},
		{"cache-max-memory", ports.ErrOverloaded},
		{"shutdown", ports.ErrUnavailable},
		{"engine is closed", ports.ErrUnavailable},
	} {
		if strings.Contains(e.Message, known.words) {
			return known.kind
		}
	}

	switch {
	case e.Status == http.StatusUnauthorized:
		return ports.ErrAuth
	case e.Status == http.StatusForbidden:
		return ports.ErrPermission
	case e.Status == http.StatusNotFound:
		return ports.ErrSchema
	case e.Status == http.StatusRequestEntityTooLarge:
		return ports.ErrTooLarge
	case e.Status == http.StatusTooManyRequests, e.Status == http.StatusServiceUnavailable:
		return ports.ErrOverloaded
	case e.Status == http.StatusBadGateway, e.Status == http.StatusGatewayTimeout,
		e.Status >= http.StatusMultipleChoices && e.Status < http.StatusBadRequest:
		return ports.ErrUnavailable
	case e.Status >= http.StatusInternalServerError && !e.isVersion1():
		return ports.ErrUnavailable
	}

	return ports.ErrInternal
}

// isVersion1 reports whether an InfluxDB 1.x answered; one that was built without a release's version says "unknown".
func (e *ServerError) isVersion1() bool {
	return strings.HasPrefix(strings.TrimPrefix(e.Version, "v"), "1.") || e.Version == "unknown"
}

// stated are the kinds that an error of ours may carry already.
var stated = [...]error{
	ports.ErrInvalid, ports.ErrTooLarge, ports.ErrIncomplete, ports.ErrUnavailable, ports.ErrPermission, ports.ErrSchema,
	ports.ErrCorruptData,
}

// translate makes every error that leaves the store a *ports.Error; nil stays nil.
func translate(op, subject string, err error) error {
	if err == nil {
		return nil
	}

	var fromWrite *clienthttp.Error
	if errors.As(err, &fromWrite) && fromWrite.StatusCode != 0 {
		err = fromClient(fromWrite)
	}
	e := &ports.Error{Kind: kindOf(err), Op: op, Store: Name, Subject: subject, Err: err}
	if errors.Is(e.Kind, ports.ErrTimeout) {
		e.Phase = phaseOf(err)
	}

	return e
}

func kindOf(err error) error {
	if kind := ports.ContextKind(err); kind != nil {
		return kind
	}

	for _, kind := range stated {
		if errors.Is(err, kind) {
			return kind
		}
	}

	var (
		server *ServerError
		rule   *domain.RuleError
		cert   *tls.CertificateVerificationError
		read   *readError
		timed  net.Error
		sent   *url.Error
	)
	switch {
	case errors.As(err, &server):
		return server.kind()
	case errors.As(err, &rule):
		return ports.ErrCorruptData
	case errors.As(err, &cert):
		return ports.ErrAuth
	case errors.As(err, &read):
		return ports.ErrIncomplete
	case errors.As(err, &timed) && timed.Timeout():
		return ports.ErrTimeout
	case errors.As(err, &sent), errors.As(err, &timed):
		return ports.ErrUnavailable
	}

	return ports.ErrInternal
}

// phaseOf tells where a deadline passed.
func phaseOf(err error) ports.Phase {
	var dial *net.OpError
	var read *readError
	switch {
	case errors.As(err, &read):
		return ports.PhaseRead
	case errors.As(err, &dial) && dial.Op == "dial":
		return ports.PhaseConnect
	}

	return ports.PhaseQuery
}
