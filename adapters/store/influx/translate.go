package influx

import (
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

	"github.com/gal-friday/marketdata/adapters/neterror"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/tlsconfig"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// ServerError is an error that the server returned.
type ServerError struct {
	Status     int           // HTTP status; 200 if the error was in the body of a response
	Version    string        // version of the server; "" if the response has none
	Message    string        // message of the server, at most 400 bytes
	RetryAfter time.Duration // how long to wait before a retry; 0 if the response does not say
}

// Error returns the message, and the HTTP status unless it is 200.
func (e *ServerError) Error() string {
	if e.Status == http.StatusOK {
		return "server: " + e.Message
	}
	return fmt.Sprintf("server: %d %s: %s", e.Status, http.StatusText(e.Status), e.Message)
}

// newServerError returns the error in a response with an HTTP error status.
func newServerError(r *http.Response) *ServerError {
	e := &ServerError{
		Status: r.StatusCode, Version: r.Header.Get("X-Influxdb-Version"), RetryAfter: retryAfter(r.Header),
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxErrorBody)) // a body that cannot be read has no message
	var document struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &document) // a body that is not JSON has no message
	for _, text := range []string{r.Header.Get("X-Influxdb-Error"), document.Error, document.Message} {
		if text != "" {
			e.Message = truncateMessage(text)
			return e
		}
	}

	e.Message = "no reason given"
	if location := r.Header.Get("Location"); location != "" {
		e.Message = "redirects to " + truncateMessage(location) + "; configure that URL if it is right"
	}

	return e
}

// serverErrorFromClient converts an error of the client, which has read the response itself.
func serverErrorFromClient(e *clienthttp.Error) *ServerError {
	text := e.Header.Get("X-Influxdb-Error")
	if text == "" {
		text = e.Message
	}

	return &ServerError{
		Status: e.StatusCode, Version: e.Header.Get("X-Influxdb-Version"),
		Message: truncateMessage(text), RetryAfter: retryAfter(e.Header),
	}
}

// truncateMessage limits how much of a server's text an error repeats.
func truncateMessage(text string) string {
	const maxMessage = 400
	if len(text) > maxMessage {
		text = text[:maxMessage] + "..."
	}

	return strings.ToValidUTF8(text, "?")
}

// retryAfter returns the duration of the Retry-After header, which may be in seconds or a date. It returns at most a
// day, and 0 if the header is absent or malformed.
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

// kind returns the kind of the error. The message takes precedence over the status, because InfluxDB 1.8 returns status
// 500, or 200, for errors that no retry can clear.
func (e *ServerError) kind() error {
	for _, known := range messageKinds {
		if strings.Contains(e.Message, known.text) {
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

// messageKinds are the kinds of the errors whose message contains a text. The first match counts.
var messageKinds = [...]struct {
	text string
	kind error
}{
	{"authentication", ports.ErrAuth},
	{"authorization failed", ports.ErrAuth},
	{"not authorized", ports.ErrPermission},
	{"insufficient permissions", ports.ErrPermission},
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
}

// isVersion1 reports whether the server is an InfluxDB 1.x. A build without a release version calls itself "unknown".
func (e *ServerError) isVersion1() bool {
	return strings.HasPrefix(strings.TrimPrefix(e.Version, "v"), "1.") || e.Version == "unknown"
}

// wrappedKinds are the kinds that errors of this package may wrap.
var wrappedKinds = [...]error{
	ports.ErrInvalid, ports.ErrTooLarge, ports.ErrIncomplete, ports.ErrUnavailable, ports.ErrPermission,
	ports.ErrSchema, ports.ErrCorruptData, ports.ErrTimeout,
}

// translate converts an error into a *ports.Error, which every exported method must return. It returns nil for nil.
func translate(op, subject string, err error) error {
	if err == nil {
		return nil
	}

	var fromWrite *clienthttp.Error
	if errors.As(err, &fromWrite) && fromWrite.StatusCode != 0 {
		err = serverErrorFromClient(fromWrite)
	}

	e := &ports.Error{Kind: kindOf(err), Op: op, Store: Name, Subject: subject, Err: newRequestError(err)}
	switch {
	case errors.Is(e.Kind, ports.ErrTimeout):
		e.Phase = phaseOf(err)
	case isDial(err):
		e.Phase = ports.PhaseConnect
	}
	e.Retryable, e.RetryAfter = retryability(e.Kind, err)
	if advised, ok := errors.AsType[*remedyError](err); ok {
		e.Remedy = advised.remedy
	}

	return e
}

// requestError is a request without a response in words for people, because the text of the HTTP client repeats itself.
type requestError struct {
	err  error
	text string
}

// Error returns the server and the reason.
func (e *requestError) Error() string { return e.text }

// Unwrap returns the error of the HTTP client.
func (e *requestError) Unwrap() error { return e.err }

// newRequestError returns the error of a request that the HTTP client could not send, or whose response did not come;
// another error as it is.
func newRequestError(err error) error {
	if file, ok := errors.AsType[*secret.FileError](err); ok { // nothing was sent
		return file
	}
	failed, ok := errors.AsType[*url.Error](err)
	if !ok {
		return err
	}

	server, parseErr := url.Parse(failed.URL)
	if parseErr != nil || server.Host == "" {
		return err
	}

	text := fmt.Sprintf("request to %s://%s: %s", server.Scheme, server.Host, neterror.Reason(failed.Err))

	return &requestError{err, text}
}

// kindOf returns the sentinel of package ports that describes the error best.
func kindOf(err error) error {
	if kind := ports.ContextKind(err); kind != nil {
		return kind
	}

	for _, kind := range wrappedKinds {
		if errors.Is(err, kind) {
			return kind
		}
	}

	var (
		server  *ServerError
		rule    *domain.RuleError
		read    *readError
		network net.Error
		request *url.Error
	)
	var file *secret.FileError
	switch {
	case errors.As(err, &server):
		return server.kind()
	case errors.As(err, &rule):
		return ports.ErrCorruptData
	case tlsconfig.IsRefused(err), errors.As(err, &file):
		return ports.ErrAuth
	case errors.As(err, &read):
		return ports.ErrIncomplete
	case errors.As(err, &network) && network.Timeout():
		return ports.ErrTimeout
	case errors.As(err, &request), errors.As(err, &network):
		return ports.ErrUnavailable
	}

	return ports.ErrInternal
}

// phaseOf returns the phase in which a deadline passed.
func phaseOf(err error) ports.Phase {
	var read *readError
	switch {
	case errors.As(err, &read):
		return ports.PhaseRead
	case isDial(err):
		return ports.PhaseConnect
	}

	return ports.PhaseQuery
}

// isDial reports whether the connection could not be opened.
func isDial(err error) bool {
	dial, isNetwork := errors.AsType[*net.OpError](err)
	return isNetwork && dial.Op == "dial"
}

// retryability reports whether a read that failed may succeed soon, and before which pause it is of no use: the server
// is overloaded or away, or the connection broke. A redirect, and a write that reads do not show, stay as they are.
func retryability(kind, err error) (isRetryable bool, after time.Duration) {
	if server, isAnswer := errors.AsType[*ServerError](err); isAnswer {
		isPassing := errors.Is(kind, ports.ErrUnavailable) || errors.Is(kind, ports.ErrOverloaded)
		return isPassing && (server.Status < http.StatusMultipleChoices || server.Status >= http.StatusBadRequest),
			server.RetryAfter
	}

	_, isCut := errors.AsType[*readError](err)
	_, isRequest := errors.AsType[*url.Error](err)
	_, isNetwork := errors.AsType[net.Error](err)

	return isCut && errors.Is(kind, ports.ErrIncomplete) ||
		(isRequest || isNetwork) && errors.Is(kind, ports.ErrUnavailable), 0
}
