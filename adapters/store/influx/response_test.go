package influx_test

import (
	"bytes"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// wideVolume is the recorded volume that no float stores.
const wideVolume = "12345678901234567890.123456789012345678"

func TestRecordedResponses(t *testing.T) {
	t.Parallel()
	var previous domain.Series
	for _, name := range []string{"chunked_1.8", "time_extension"} {
		got, err := readAll(t, storeReturning(t, recordedResponse(t, name)), recordedQuery)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}

		last := recordedStart.Add(24 * time.Minute)
		if got.Len() != 25 || got.At(17).Volume.String() != wideVolume || !got.OpenTime(24).Equal(last) {
			t.Errorf("%s: got %s, bar 17 is %s", name, got, got.At(17))
		}
		const first = "2024-02-28T23:30:00Z o=65314.59 h=65316.24 l=65309.74 c=65311.28"
		if !strings.HasPrefix(got.At(0).String(), first) {
			t.Errorf("%s: the first bar is %s, want %s", name, got.At(0), first)
		}
		if previous.Len() > 0 && !previous.Equal(got) {
			t.Errorf("times as integers and as extensions differ")
		}
		previous = got
	}

	got, err := readAll(t, storeReturning(t, recordedResponse(t, "empty")), recordedQuery)
	if err != nil || got.Len() != 0 {
		t.Errorf("a result without bars: %s, %v", got, err)
	}
}

// TestResponseCutAtAnyByte cuts recorded responses after every byte, with an HTTP length that matches the cut body.
func TestResponseCutAtAnyByte(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"chunked_1.8", "time_extension", "empty"} {
		body := recordedResponse(t, name)
		var cut []byte
		s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
			return response(r, http.StatusOK, cut), nil
		})
		for n := range body {
			cut = body[:n]
			if got, err := readAll(t, s, recordedQuery); !errors.Is(err, ports.ErrIncomplete) {
				t.Fatalf("%s cut to %d of %d bytes: %s, %v", name, n, len(body), got, err)
			}
		}
	}
}

// TestResponseWithAnyByteAltered alters every byte of a recorded response. The read must return an error or 25 bars,
// and must not panic.
func TestResponseWithAnyByteAltered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testResponseWithAnyByteAltered) // because an incomplete row is read again after a pause
}

func testResponseWithAnyByteAltered(t *testing.T) {
	body := recordedResponse(t, "chunked_1.8")
	altered := slices.Clone(body)
	s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
		return response(r, http.StatusOK, altered), nil
	})
	for n := range body {
		for _, mask := range []byte{0x01, 0x10, 0x80, 0xff} {
			altered[n] ^= mask
			if got, err := readAll(t, s, recordedQuery); err == nil && got.Len() != 25 {
				t.Fatalf("byte %d altered by 0x%02x: %s without an error", n, mask, got)
			}

			altered[n] = body[n]
		}
	}
}

func TestMalformedResponses(t *testing.T) {
	t.Parallel()
	row, next := barRow(0, nil), barRow(1, nil)
	change := func(column int, value []byte) []byte { return bars(barRow(1, map[int][]byte{column: value})) }
	oneMore := slices.Concat(barColumns, []string{"more"})
	reordered := slices.Concat([]string{"time", "high", "open"}, barColumns[3:])
	table := func(name string, more ...[]byte) []byte {
		items := [][]byte{
			mpText("name"), mpText(name), mpText("columns"), mpTexts(barColumns), mpText("values"), mpArray(row),
		}
		return document(result(0, false, mpMap(slices.Concat(items, more)...)))
	}
	manyColumns := mpMap(mpText("columns"), []byte{0xdd, 0xff, 0xff, 0xff, 0xff})
	partial := document(result(0, true, barTable(barColumns, row)))
	closed, interrupted := document(errorDocument("engine is closed")), document(errorDocument("query interrupted"))
	halfMinute := recordedStart.Add(90 * time.Second)
	incomplete, corrupt := ports.ErrIncomplete, ports.ErrCorruptData
	for name, c := range map[string]struct {
		body []byte
		kind error
		rule domain.Rule // for ErrCorruptData
	}{
		"error_document":           {errorDocument("database not found: x"), ports.ErrSchema, ""},
		"error_in_result":          {document(errorDocument("something unheard of")), ports.ErrInternal, ""},
		"error_after_bars":         {slices.Concat(partial, closed), ports.ErrUnavailable, ""},
		"error_after_the_last":     {slices.Concat(bars(row), interrupted), ports.ErrInternal, ""},
		"killed":                   {document(errorDocument("query-timeout limit exceeded")), ports.ErrTimeout, ""},
		"more_announced":           {partial, incomplete, ""},
		"more_than_announced":      {slices.Concat(bars(row), bars(next)), incomplete, ""},
		"no_result":                {document(), incomplete, ""},
		"trailing_byte":            {append(bars(row), 0), incomplete, ""},
		"cut_by_row_limit":         {table("bars", mpText("partial"), mpTrue), incomplete, ""},
		"other_statement":          {document(result(1, false)), incomplete, ""},
		"missing_column":           {document(result(0, false, barTable(barColumns[:10], row))), incomplete, ""},
		"one_column_more":          {document(result(0, false, barTable(oneMore, row))), incomplete, ""},
		"columns_in_another_order": {document(result(0, false, barTable(reordered, row))), incomplete, ""},
		"short_row":                {bars(mpArray(mpInt(0))), incomplete, ""},
		"float_of_32_bits":         {change(1, []byte{0xca, 0x3f, 0x80, 0, 0}), incomplete, ""},
		"binary":                   {change(7, []byte{0xc4, 0}), incomplete, ""},
		"text_for_a_number":        {change(1, mpText("1.5")), incomplete, ""},
		"true_for_a_number":        {change(1, mpTrue), incomplete, ""},
		"time_as_text":             {change(0, mpText("2024")), incomplete, ""},
		"long_text":                {change(7, []byte{0xdb, 0xff, 0xff, 0xff, 0xff}), ports.ErrTooLarge, ""},
		"many_columns":             {document(result(0, false, manyColumns)), incomplete, ""},
		"open_is_null":             {change(1, mpNil), corrupt, domain.RuleIncomplete},
		"volume_is_null":           {change(5, mpNil), corrupt, domain.RuleIncomplete},
		"trades_is_null":           {change(6, mpNil), corrupt, domain.RuleIncomplete},
		"trades_is_a_float":        {change(6, mpFloat(1)), corrupt, domain.RuleIncomplete},
		"exact_is_null":            {change(7, mpNil), corrupt, domain.RuleIncomplete},
		"exact_of_four":            {change(7, mpText("1.5 2.5 1.25 2")), corrupt, domain.RuleNotFinite},
		"exact_is_no_number":       {change(7, mpText("1.5 2.5 1.25 2 1e")), corrupt, domain.RuleNotFinite},
		"exact_and_float_differ":   {change(7, mpText("1.5 2.5 1.25 2 101")), corrupt, domain.RuleNotFinite},
		"not_a_number":             {change(1, mpFloat(math.NaN())), corrupt, domain.RuleNotFinite},
		"infinity":                 {change(5, mpFloat(math.Inf(1))), corrupt, domain.RuleNotFinite},
		"float_of_too_many_digits": {change(5, mpFloat(1e-30)), corrupt, domain.RuleNotFinite},
		"negative_trades":          {change(6, mpInt(-1)), corrupt, domain.RuleNegativeTradeCount},
		"duplicate":                {bars(row, row), corrupt, domain.RuleDuplicate},
		"unsorted":                 {bars(next, row), corrupt, domain.RuleOutOfOrder},
		"off_grid":                 {change(0, mpInt(halfMinute.UnixNano())), corrupt, domain.RuleOffGrid},
		"finer_than_a_microsecond": {change(0, mpInt(recordedStart.UnixNano()+1)), corrupt, domain.RuleOffGrid},
		"row_at_the_end_of_range":  {bars(barRow(60, nil)), corrupt, domain.RuleOutsideRange},
		"row_before_the_range":     {bars(barRow(-1, nil)), corrupt, domain.RuleOutsideRange},
		"another_symbol":           {change(8, mpText("ETH/USD")), corrupt, domain.RuleWrongSeries},
		"another_price_type":       {change(9, mpText("bid")), corrupt, domain.RuleWrongSeries},
		"another_grid":             {change(10, mpNil), corrupt, domain.RuleWrongSeries},
		"another_measurement":      {table("trades"), incomplete, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readAll(t, storeReturning(t, c.body), recordedQuery)
			if !errors.Is(err, c.kind) {
				t.Fatalf("got %v, want %v", err, c.kind)
			}

			var rule *domain.RuleError
			hasRule := errors.As(err, &rule)
			if hasRule != (c.rule != "") || hasRule && (rule.Rule != c.rule || rule.Key != recordedKey) {
				t.Errorf("got %v, want rule %q of %s", err, c.rule, recordedKey)
			}
		})
	}

	if got, err := readAll(t, storeReturning(t, bars(row, next)), recordedQuery); err != nil || got.Len() != 2 {
		t.Errorf("the valid rows alone: %s, %v", got, err)
	}
}

// TestAnnouncedRowsAreMissing reads responses whose framing is complete, but which lack rows that the server announced.
func TestAnnouncedRowsAreMissing(t *testing.T) {
	t.Parallel()
	namedTable := func(name string, cut bool, rows ...[]byte) []byte {
		items := [][]byte{
			mpText("name"), mpText(name), mpText("columns"), mpTexts(barColumns), mpText("values"), mpArray(rows...),
		}
		if cut {
			items = append(items, mpText("partial"), mpTrue)
		}

		return mpMap(items...)
	}
	row, next := barRow(0, nil), barRow(1, nil)
	first, last := namedTable("bars", true, row), namedTable("bars", false, next)
	other := namedTable("trades", false, next)
	id, series, partial := slices.Concat(mpText("statement_id"), mpInt(0)), mpText("series"), mpText("partial")
	raw := func(pairs ...[]byte) []byte {
		return slices.Concat([]byte{0xdf, 0, 0, 0, byte(len(pairs))}, slices.Concat(pairs...))
	}
	tables := slices.Concat(series, mpArray(last))
	for name, c := range map[string]struct {
		body []byte
		bars int // -1 if the response is incomplete
	}{
		"complete":                   {document(result(0, true, first), result(0, false, last)), 2},
		"complete_in_documents":      {slices.Concat(document(result(0, true, first)), document(result(0, false, last))), 2},
		"complete_in_one_result":     {document(result(0, false, first, last)), 2},
		"no_rows_at_all":             {document(result(0, false)), 0},
		"last_result_empty":          {document(result(0, true, first), result(0, false)), -1},
		"last_document_empty":        {slices.Concat(document(result(0, true, first)), document(result(0, false))), -1},
		"last_table_empty":           {document(result(0, true, first), result(0, false, namedTable("bars", false))), -1},
		"result_in_the_middle_empty": {document(result(0, true, first), result(0, true), result(0, false, last)), -1},
		"announced_without_rows":     {document(result(0, true), result(0, false)), -1},
		"cut_table_is_not_continued": {document(result(0, true, first), result(0, false, other)), -1},
		"cut_table_within_a_result":  {document(result(0, false, first, other)), -1},
		"no_series":                  {document(raw(id)), -1},
		"series_twice":               {document(raw(id, slices.Concat(series, mpArray(first)), tables)), -1},
		"partial_is_revoked": {
			document(raw(id, tables, slices.Concat(partial, mpTrue), slices.Concat(partial, mpFalse))), -1,
		},
		"cut_is_revoked": {
			document(result(0, false, raw(slices.Concat(mpText("name"), mpText("bars")),
				slices.Concat(mpText("columns"), mpTexts(barColumns)), slices.Concat(mpText("values"), mpArray(row)),
				slices.Concat(partial, mpTrue), slices.Concat(partial, mpFalse)))), -1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readAll(t, storeReturning(t, c.body), recordedQuery)
			isIncomplete := errors.Is(err, ports.ErrIncomplete)
			if c.bars < 0 && !isIncomplete || c.bars >= 0 && (err != nil || got.Len() != c.bars) {
				t.Errorf("got %s, %v; want %d bars", got, err, c.bars)
			}
		})
	}
}

// TestExtentsWithoutLastBar reads the first bars of two series and the last bar of one, as from a server that dropped
// the rows beyond its limit.
func TestExtentsWithoutLastBar(t *testing.T) {
	t.Parallel()
	edgeOf := func(symbol string, minute int) []byte {
		at := recordedStart.Add(time.Duration(minute) * time.Minute)
		tags := mpMap(mpText("symbol"), mpText(symbol), mpText("kind"), mpText("trade"), mpText("grid"), mpText("1m"))
		return mpMap(mpText("name"), mpText("bars"), mpText("tags"), tags,
			mpText("columns"), mpTexts([]string{"time", "first"}),
			mpText("values"), mpArray(mpArray(mpInt(at.UnixNano()), mpFloat(1))))
	}
	firsts := result(0, false, edgeOf("A", 0), edgeOf("B", 0))
	cut := document(firsts, result(1, false, edgeOf("A", 9)))
	complete := document(firsts, result(1, false, edgeOf("A", 9), edgeOf("B", 9), edgeOf("NEW", 9)))
	for name, c := range map[string]struct {
		responses [][]byte
		kind      error
	}{
		"complete":     {[][]byte{complete}, nil},
		"deleted_once": {[][]byte{cut, complete}, nil},
		"always_cut":   {[][]byte{cut, cut, cut}, ports.ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			responses := c.responses
			s := fakeStore(t, influx.Config{}, func(r *http.Request) (*http.Response, error) {
				body := responses[0]
				responses = responses[1:]
				return response(r, http.StatusOK, body), nil
			})
			got, err := ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{}))
			if !errors.Is(err, c.kind) || err == nil && len(got) != 2 || len(responses) != 0 {
				t.Fatalf("got %v, %v, %d responses not requested; want %v", got, err, len(responses), c.kind)
			}

			for _, e := range got {
				if e.Range.End.Sub(e.Range.Start) != 10*time.Minute {
					t.Errorf("got %v, want 10 minutes", e)
				}
			}
		})
	}
}

// TestMoreBarsThanRequested reads from a server that ignores the limit.
func TestMoreBarsThanRequested(t *testing.T) {
	t.Parallel()
	q := recordedQuery
	q.First = 1
	s := storeReturning(t, bars(barRow(0, nil), barRow(1, nil)))
	if _, err := readAll(t, s, q); !errors.Is(err, ports.ErrIncomplete) {
		t.Errorf("got %v", err)
	}
	q.First, q.Last = 0, 2
	got, err := readAll(t, storeReturning(t, bars(barRow(1, nil), barRow(0, nil))), q)
	if err != nil || got.Len() != 2 || !got.OpenTime(0).Equal(recordedStart) {
		t.Errorf("a descending result: %s, %v", got, err)
	}
}

func TestIntegersForFloats(t *testing.T) {
	t.Parallel()
	body := bars(
		barRow(0, map[int][]byte{1: mpInt(math.MaxInt64), 5: {0x05}}),
		barRow(1, map[int][]byte{4: {0xff}, 6: {0xcd, 1, 0}}),
	)
	got, err := readAll(t, storeReturning(t, body), recordedQuery)
	if err != nil {
		t.Fatal(err)
	}

	first, second := got.At(0), got.At(1)
	if first.Open.String() != "9223372036854775807" || first.High.String() != "2.5" || first.Volume.String() != "5" ||
		second.Close.String() != "-1" || second.Trades != 256 {
		t.Errorf("got %s and %s", first, second)
	}
}

func TestDecodeTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body []byte
		want int64 // nanoseconds since 1970, if ok
		ok   bool
	}{
		"integer":            {mpInt(5), 5, true},
		"small_integer":      {[]byte{0x05}, 5, true},
		"encoders_extension": {[]byte{0xc7, 12, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2}, 1_000_000_002, true},
		"timestamp_32":       {[]byte{0xd6, 0xff, 0, 0, 0, 1}, 1_000_000_000, true},
		"timestamp_64":       {[]byte{0xd7, 0xff, 0, 0, 0, 8, 0, 0, 0, 1}, 1_000_000_002, true},
		"timestamp_96":       {[]byte{0xc7, 12, 0xff, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1}, 1_000_000_002, true},
		"before_1970": {
			[]byte{0xc7, 12, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2}, -999_999_998, true,
		},
		"another_extension":   {[]byte{0xd6, 0x07, 0, 0, 0, 1}, 0, false},
		"another_length":      {[]byte{0xc7, 3, 5, 0, 0, 0}, 0, false},
		"too_many_nanos":      {[]byte{0xc7, 12, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 0, 0, 2}, 0, false},
		"beyond_the_calendar": {[]byte{0xc7, 12, 5, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2}, 0, false},
		"unsigned_too_large":  {[]byte{0xcf, 0xff, 0, 0, 0, 0, 0, 0, 0}, 0, false},
	} {
		got, err := influx.DecodeTime(c.body)
		if (err == nil) != c.ok || c.ok && got != c.want {
			t.Errorf("%s: got %d, %v", name, got, err)
		}
	}
}

// FuzzResponse decodes random responses. The decoder must not panic, and no response may be complete without its last
// byte.
func FuzzResponse(f *testing.F) {
	for _, name := range []string{
		"chunked_1.8", "time_extension", "empty", "no_database", "edges", "tag_values", "field_keys",
	} {
		f.Add(recordedResponse(f, name))
	}
	f.Add(bars(barRow(0, map[int][]byte{1: mpNil, 6: mpTrue})))
	f.Fuzz(func(t *testing.T, body []byte) {
		rows, err := influx.Decode(body, 1)
		if err != nil {
			return
		}
		if rows > len(body) {
			t.Fatalf("%d rows of %d bytes", rows, len(body))
		}
		if _, err := influx.Decode(body[:len(body)-1], 1); err == nil {
			t.Fatalf("complete with and without the last byte: %x", body)
		}
		if again, err := influx.Decode(bytes.Clone(body), 1); err != nil || again != rows {
			t.Fatalf("decoded twice: %d rows, then %d, %v", rows, again, err)
		}
	})
}
