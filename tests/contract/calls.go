package contract

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// calls records the last calls that a law made, so that its failure shows them with their arguments and results. It is
// safe for concurrent use.
type calls struct {
	mu   sync.Mutex
	last []*callRecord
}

// callRecord is one call: "ReadBars(BTC/USD 1m, ...)", and its results: one, or one for each range over a sequence.
type callRecord struct {
	text    string
	results []string
}

// maxCalls is how many calls a failure shows, and maxListed how many elements of a list.
const maxCalls, maxListed = 6, 4

// withoutRecordKey marks a context whose calls are not recorded.
type withoutRecordKey struct{}

// withoutRecord returns a context whose calls are not recorded. Concurrent calls have it, because the lock of the
// record would hide races of the store from the race detector.
func withoutRecord(ctx context.Context) context.Context {
	return context.WithValue(ctx, withoutRecordKey{}, true)
}

// begin records a call, and returns the function that adds a result to it.
func (c *calls) begin(ctx context.Context, method string, args ...any) func(result ...any) {
	if ctx.Value(withoutRecordKey{}) != nil {
		return func(...any) {}
	}

	record := &callRecord{text: method + "(" + strings.Join(texts(args), ", ") + ")"}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last = append(c.last, record); len(c.last) > maxCalls {
		c.last = slices.Delete(c.last, 0, 1)
	}

	return func(result ...any) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(record.results) < maxListed {
			record.results = append(record.results, strings.Join(texts(result), ", "))
		}
	}
}

// String returns a line for each call, the last call last.
func (c *calls) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.last) == 0 {
		return "no call was recorded; concurrent calls are not"
	}

	lines := []string{"the last calls, each with its result:"}
	for _, r := range c.last {
		result := "its sequence was not read to its end"
		if len(r.results) > 0 {
			result = strings.Join(r.results, "; ranged over again: ")
		}
		lines = append(lines, "  "+r.text+" = "+result)
	}

	return strings.Join(lines, "\n")
}

// texts returns a short text of each value; an empty one is left out.
func texts(values []any) []string {
	var list []string
	for _, v := range values {
		if text := shortText(v); text != "" {
			list = append(list, text)
		}
	}

	return list
}

func shortText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case error:
		return errorText(v)
	case domain.Symbol:
		return fmt.Sprintf("%q", string(v))
	case []domain.Symbol:
		return listText(v)
	case ports.BarQuery:
		return v.Key.String() + limitText(v.Range, v.First, v.Last) + stateText(v.State)
	case []ports.BarQuery:
		return listText(v)
	case ports.TickQuery:
		return shortText(v.Symbol) + limitText(v.Range, v.First, v.Last) + stateText(v.State)
	case ports.SeriesQuery:
		return v.Key.String() + stateText(v.State)
	case []ports.SeriesQuery:
		return listText(v)
	case ports.BarWrite:
		return fmt.Sprintf("%s, coverage %s, %s", v.Bars, v.Coverage, shortText(v.OnConflict))
	case []ports.BarWrite:
		return listText(v)
	case ports.WriteResult:
		return strings.Join(texts([]any{v.Report, v.Err}), " and ")
	case []ports.WriteResult:
		return listText(v)
	case ports.WriteReport:
		return fmt.Sprintf("%+v", v)
	case ports.ConflictPolicy:
		return policyText(v)
	case []domain.SymbolMeta:
		return listText(v)
	case []*domain.SeriesState:
		return listText(v)
	case *domain.SeriesState:
		return stateOf(v)
	case ports.BatchBars:
		return fmt.Sprintf("query %d: %s", v.Query, strings.Join(texts([]any{v.Bars, textOf(stateIn(v))}), ", "))
	case fmt.Stringer:
		return v.String()
	default:
		return fmt.Sprintf("%+v", v)
	}
}

func listText[T any](list []T) string {
	var parts []string
	for _, v := range list[:min(len(list), maxListed)] {
		parts = append(parts, shortText(v))
	}
	if more := len(list) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}

	return "[" + strings.Join(parts, "; ") + "]"
}

func limitText(r domain.Range, first, last int) string {
	text := " " + r.String()
	if first != 0 {
		text += fmt.Sprintf(" first %d", first)
	}
	if last != 0 {
		text += fmt.Sprintf(" last %d", last)
	}

	return text
}

// stateText returns the part of a query that concerns the state, or "" if the query has none.
func stateText(q ports.StateQuery) string {
	var text string
	if !q.Range.Start.IsZero() || !q.Range.End.IsZero() {
		text += " state of " + q.Range.String()
	}
	if q.Known != (domain.Version{}) {
		text += " known " + q.Known.String()
	}

	return text
}

func stateOf(s *domain.SeriesState) string {
	if s == nil {
		return "no state"
	}

	return fmt.Sprintf("state of version %s, coverage %v, %d blocks", s.Version, s.Coverage, len(s.Blocks))
}

// stateIn returns the text of the state of a piece, or "" if it has none.
func stateIn(piece ports.BatchBars) string {
	if piece.State == nil {
		return ""
	}

	return stateOf(piece.State)
}

func policyText(p ports.ConflictPolicy) string {
	names := []string{"ConflictFail", "ConflictReplace", "ConflictKeep"}
	if int(p) < len(names) {
		return names[p]
	}

	return fmt.Sprintf("ConflictPolicy(%d)", p)
}

// recorded returns the sequence, and adds to the call what it yields: the number of rows, the first state, the error.
func recorded[D ports.Rows](next ports.Sequence[D], end func(result ...any)) ports.Sequence[D] {
	return func(yield func(ports.Piece[D], error) bool) {
		rows, state, failed, stopped := 0, "", error(nil), ""
		defer func() {
			end(fmt.Sprintf("%d rows", rows), textOf(state), failed, textOf(stopped))
		}()

		next(func(p ports.Piece[D], err error) bool {
			rows += p.Rows.Len()
			if p.State != nil && state == "" {
				state = stateOf(p.State)
			}
			if err != nil {
				failed = err
			}
			if yield(p, err) {
				return true
			}

			stopped = "stopped by the law"

			return false
		})
	}
}

// textOf returns the text as a value, nil if it is empty.
func textOf(text string) any {
	if text == "" {
		return nil
	}

	return unquoted(text)
}

// unquoted is a text that is shown as it is.
type unquoted string

// String returns the text.
func (u unquoted) String() string { return string(u) }

// recordedList returns the sequence, and adds to the call the first elements, their number, and the error.
func recordedList[T any](next iter.Seq2[T, error], end func(result ...any)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var list []T
		var failed error
		n := 0
		defer func() {
			text := listText(list)
			if n > len(list) {
				text += fmt.Sprintf(" and %d more", n-len(list))
			}
			end(unquoted(text), failed)
		}()

		next(func(v T, err error) bool {
			if err != nil {
				failed = err
			} else if n++; n <= maxListed {
				list = append(list, v)
			}

			return yield(v, err)
		})
	}
}

// withCalls adds the last calls to the error of a law. That a law does not apply stays as it is.
func withCalls(err error, c *calls) error {
	var na notApplicableError
	if err == nil || errors.As(err, &na) {
		return err
	}

	return fmt.Errorf("%w\n%s", err, c)
}

// recordedPort is a port whose calls are recorded.
type recordedPort interface{ unrecorded() any }

// portOf returns an optional port of a value whose calls may be recorded.
func portOf[P any](value any) (P, bool) {
	if r, isRecorded := value.(recordedPort); isRecorded {
		value = r.unrecorded()
	}
	port, ok := value.(P)

	return port, ok
}
