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

// wide is the recorded volume that no float holds.
const wide = "12345678901234567890.123456789012345678"

func TestRecordedAnswers(t *testing.T) {
	t.Parallel()
	var before domain.Series
	for _, name := range []string{"chunked_1.8", "time_extension"} {
		got, err := readAll(t, answering(t, recorded(t, name)), recordedQuery)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}

		if got.Len() != 25 || got.At(17).Volume.String() != wide || !got.OpenTime(24).Equal(recordedStart.Add(24*time.Minute)) {
			t.Errorf("%s: got %s, bar 17 is %s", name, got, got.At(17))
		}
		if first := "2024-02-28T23:30:00Z o=65314.59 h=65316.24 l=65309.74 c=65311.28"; !strings.HasPrefix(got.At(0).String(), first) {
			t.Errorf("%s: the first bar is %s, want %s", name, got.At(0), first)
		}
		if before.Len() > 0 && !before.Equal(got) {
			t.Errorf("times as integers and as extensions differ")
		}
		before = got
	}

	if got, err := readAll(t, answering(t, recorded(t, "empty")), recordedQuery); err != nil || got.Len() != 0 {
		t.Errorf("an empty answer: %s, %v", got, err)
	}
}

// TestCutAnywhere ends recorded answers after every byte, framed as if that were all.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"chunked_1.8", "time_extension", "empty"} {
		body := recorded(t, name)
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

// TestFlippedAnywhere turns every byte of a recorded answer into others: an error, or bars that a Series can hold; never a panic.
func TestFlippedAnywhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testFlippedAnywhere) // a row that became none is read again after a pause
}

func testFlippedAnywhere(t *testing.T) {
	body := recorded(t, "chunked_1.8")
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

func TestRefusedAnswers(t *testing.T) {
	t.Parallel()
	row, next := barRow(0, nil), barRow(1, nil)
	change := func(column int, value []byte) []byte { return bars(barRow(1, map[int][]byte{column: value})) }
	extra := slices.Concat(barColumns, []string{"more"})
	for name, c := range map[string]struct {
		body []byte
		kind error
		rule domain.Rule // of a corrupt answer
	}{
		"error_document":           {failing("database not found: x"), ports.ErrSchema, ""},
		"error_in_result":          {document(failing("something unheard of")), ports.ErrInternal, ""},
		"error_after_bars":         {slices.Concat(document(result(0, true, tableOf(barColumns, row))), document(failing("engine is closed"))), ports.ErrUnavailable, ""},
		"error_after_the_last":     {slices.Concat(bars(row), document(failing("query interrupted"))), ports.ErrInternal, ""},
		"killed":                   {document(failing("query-timeout limit exceeded")), ports.ErrTimeout, ""},
		"more_promised":            {document(result(0, true, tableOf(barColumns, row))), ports.ErrIncomplete, ""},
		"more_than_promised":       {slices.Concat(bars(row), bars(next)), ports.ErrIncomplete, ""},
		"no_result":                {document(), ports.ErrIncomplete, ""},
		"trailing_byte":            {append(bars(row), 0), ports.ErrIncomplete, ""},
		"cut_by_row_limit":         {document(result(0, false, mpMap(mpText("name"), mpText("bars"), mpText("columns"), mpTexts(barColumns), mpText("values"), mpArray(row), mpText("partial"), mpTrue))), ports.ErrIncomplete, ""},
		"other_statement":          {document(result(1, false)), ports.ErrIncomplete, ""},
		"missing_column":           {document(result(0, false, tableOf(barColumns[:11], row))), ports.ErrIncomplete, ""},
		"one_column_more":          {document(result(0, false, tableOf(extra, row))), ports.ErrIncomplete, ""},
		"columns_in_another_order": {document(result(0, false, tableOf(slices.Concat([]string{"time", "high", "open"}, barColumns[3:]), row))), ports.ErrIncomplete, ""},
		"short_row":                {bars(mpArray(mpInt(0))), ports.ErrIncomplete, ""},
		"float_of_32_bits":         {change(1, []byte{0xca, 0x3f, 0x80, 0, 0}), ports.ErrIncomplete, ""},
		"binary":                   {change(7, []byte{0xc4, 0}), ports.ErrIncomplete, ""},
		"text_for_a_number":        {change(1, mpText("1.5")), ports.ErrIncomplete, ""},
		"true_for_a_number":        {change(1, mpTrue), ports.ErrIncomplete, ""},
		"time_as_text":             {change(0, mpText("2024")), ports.ErrIncomplete, ""},
		"long_text":                {change(7, []byte{0xdb, 0xff, 0xff, 0xff, 0xff}), ports.ErrTooLarge, ""},
		"many_columns":             {document(result(0, false, mpMap(mpText("columns"), []byte{0xdd, 0xff, 0xff, 0xff, 0xff}))), ports.ErrIncomplete, ""},
		"open_is_null":             {change(1, mpNil), ports.ErrCorruptData, domain.RuleIncomplete},
		"volume_is_null":           {change(5, mpNil), ports.ErrCorruptData, domain.RuleIncomplete},
		"trades_is_null":           {change(6, mpNil), ports.ErrCorruptData, domain.RuleIncomplete},
		"trades_is_a_float":        {change(6, mpFloat(1)), ports.ErrCorruptData, domain.RuleIncomplete},
		"exact_is_null":            {change(7, mpNil), ports.ErrCorruptData, domain.RuleIncomplete},
		"exact_of_four":            {change(7, mpText("1.5 2.5 1.25 2")), ports.ErrCorruptData, domain.RuleNotFinite},
		"exact_is_no_number":       {change(7, mpText("1.5 2.5 1.25 2 1e")), ports.ErrCorruptData, domain.RuleNotFinite},
		"exact_and_float_differ":   {change(7, mpText("1.5 2.5 1.25 2 101")), ports.ErrCorruptData, domain.RuleNotFinite},
		"another_checksum":         {change(8, mpInt(1)), ports.ErrCorruptData, domain.RuleIncomplete},
		"checksum_as_text":         {change(8, mpText("1")), ports.ErrIncomplete, ""},
		"not_a_number":             {change(1, mpFloat(math.NaN())), ports.ErrCorruptData, domain.RuleNotFinite},
		"infinity":                 {change(5, mpFloat(math.Inf(1))), ports.ErrCorruptData, domain.RuleNotFinite},
		"float_of_too_many_digits": {change(5, mpFloat(1e-30)), ports.ErrCorruptData, domain.RuleNotFinite},
		"negative_trades":          {change(6, mpInt(-1)), ports.ErrCorruptData, domain.RuleNegativeTradeCount},
		"duplicate":                {bars(row, row), ports.ErrCorruptData, domain.RuleDuplicate},
		"unsorted":                 {bars(next, row), ports.ErrCorruptData, domain.RuleOutOfOrder},
		"off_grid":                 {change(0, mpInt(recordedStart.Add(90*time.Second).UnixNano())), ports.ErrCorruptData, domain.RuleOffGrid},
		"finer_than_a_microsecond": {change(0, mpInt(recordedStart.UnixNano()+1)), ports.ErrCorruptData, domain.RuleOffGrid},
		"row_at_the_end_of_range":  {bars(barRow(60, nil)), ports.ErrCorruptData, domain.RuleOutsideRange},
		"row_before_the_range":     {bars(barRow(-1, nil)), ports.ErrCorruptData, domain.RuleOutsideRange},
		"another_symbol":           {change(9, mpText("ETH/USD")), ports.ErrCorruptData, domain.RuleWrongSeries},
		"another_kind":             {change(10, mpText("bid")), ports.ErrCorruptData, domain.RuleWrongSeries},
		"another_grid":             {change(11, mpNil), ports.ErrCorruptData, domain.RuleWrongSeries},
		"another_measurement":      {document(result(0, false, mpMap(mpText("name"), mpText("trades"), mpText("columns"), mpTexts(barColumns), mpText("values"), mpArray(row)))), ports.ErrIncomplete, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readAll(t, answering(t, c.body), recordedQuery)
			if !errors.Is(err, c.kind) {
				t.Fatalf("got %v, want %v", err, c.kind)
			}

			var rule *domain.RuleError
			if errors.As(err, &rule) != (c.rule != "") || rule != nil && (rule.Rule != c.rule || rule.Key != recordedKey) {
				t.Errorf("got %v, want rule %q of %s", err, c.rule, recordedKey)
			}
		})
	}

	if got, err := readAll(t, answering(t, bars(row, next)), recordedQuery); err != nil || got.Len() != 2 {
		t.Errorf("the good rows alone: %s, %v", got, err)
	}
}

// TestMoreThanAsked is a server that ignores the limit.
func TestMoreThanAsked(t *testing.T) {
	t.Parallel()
	q := recordedQuery
	q.First = 1
	if _, err := readAll(t, answering(t, bars(barRow(0, nil), barRow(1, nil))), q); !errors.Is(err, ports.ErrIncomplete) {
		t.Errorf("got %v", err)
	}
	q.First, q.Last = 0, 2
	got, err := readAll(t, answering(t, bars(barRow(1, nil), barRow(0, nil))), q)
	if err != nil || got.Len() != 2 || !got.OpenTime(0).Equal(recordedStart) {
		t.Errorf("a descending answer: %s, %v", got, err)
	}
}

func TestIntegersForFloats(t *testing.T) {
	t.Parallel()
	body := bars(barRow(0, map[int][]byte{1: mpInt(math.MaxInt64), 5: {0x05}}), barRow(1, map[int][]byte{4: {0xff}, 6: {0xcd, 1, 0}}))
	got, err := readAll(t, answering(t, body), recordedQuery)
	if err != nil {
		t.Fatal(err)
	}

	if got.At(0).Open.String() != "9223372036854775807" || got.At(0).High.String() != "2.5" || got.At(0).Volume.String() != "5" ||
		got.At(1).Close.String() != "-1" || got.At(1).Trades != 256 {
		t.Errorf("got %s and %s", got.At(0), got.At(1))
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body []byte
		want int64 // nanoseconds; ignored where the time is refused
		ok   bool
	}{
		"integer":             {mpInt(5), 5, true},
		"small_integer":       {[]byte{0x05}, 5, true},
		"encoders_extension":  {[]byte{0xc7, 12, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2}, 1_000_000_002, true},
		"timestamp_32":        {[]byte{0xd6, 0xff, 0, 0, 0, 1}, 1_000_000_000, true},
		"timestamp_64":        {[]byte{0xd7, 0xff, 0, 0, 0, 8, 0, 0, 0, 1}, 1_000_000_002, true},
		"timestamp_96":        {[]byte{0xc7, 12, 0xff, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1}, 1_000_000_002, true},
		"before_1970":         {[]byte{0xc7, 12, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2}, -999_999_998, true},
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

// FuzzAnswer wants no input to break the decoder, and no answer to be whole without its last byte.
func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"chunked_1.8", "time_extension", "empty", "no_database", "edges", "tag_values", "field_keys"} {
		f.Add(recorded(f, name))
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
			t.Fatalf("whole with and without the last byte: %x", body)
		}
		if again, err := influx.Decode(bytes.Clone(body), 1); err != nil || again != rows {
			t.Fatalf("decoded twice: %d rows, then %d, %v", rows, again, err)
		}
	})
}
