package differential

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func (a *act) drawRequest(t *rapid.T) domain.DataRequest {
	role := rapid.SampledFrom(a.cast).Draw(t, "role")
	r := domain.DataRequest{
		Key: domain.SeriesKey{
			Symbol: a.symbol(role), Grid: mustGrid(rapid.SampledFrom(role.requested).Draw(t, "grid")),
			PriceType: rapid.SampledFrom(role.kinds).Draw(t, "kind"),
		},
		Fill: rapid.SampledFrom([]domain.FillPolicy{domain.FillNone, domain.FillPrevious}).Draw(t, "fill"),
	}
	policies := []domain.QualityPolicy{domain.QualityFail, domain.QualityDrop, domain.QualityFlag}
	r.Quality = rapid.SampledFrom(policies).Draw(t, "policy")
	if rapid.IntRange(0, 19).Draw(t, "unknown") == 19 {
		r.Key.Symbol = "NO/SUCH"
	}
	span := a.drawRange(t, mustGrid(role.stored[0]))
	off := time.Duration(rapid.SampledFrom([]int64{0, 0, 1, 17_000_000}).Draw(t, "off")) * time.Microsecond
	if rapid.IntRange(0, 3).Draw(t, "open start") < 3 {
		r.Start = span.Start.Add(off)
	}
	if rapid.Bool().Draw(t, "ends") {
		r.End = span.End.Add(off)
	}
	switch rapid.IntRange(0, 3).Draw(t, "limit") {
	case 1:
		r.First = rapid.IntRange(1, slots).Draw(t, "first")
	case 2:
		r.Last = rapid.IntRange(1, slots).Draw(t, "last")
	}

	return r
}

// fetch compares results of a process that has received the hint of every write, by each of the calls.
func (a *act) fetch(t *rapid.T) error {
	p := a.processes[rapid.IntRange(0, 1).Draw(t, "process")]
	requests := []domain.DataRequest{a.drawRequest(t)}
	call := rapid.SampledFrom([]string{"fetch", "fetch", "stream", "many"}).Draw(t, "call")
	if call == "many" {
		requests = append(requests, a.drawRequest(t), a.drawRequest(t), a.drawRequest(t))
	}
	if err := a.awaitWrites(t.Context()); err != nil {
		return err
	}

	var answers []ports.BatchResult
	switch call {
	case "fetch":
		result, err := p.Fetch(t.Context(), requests[0])
		answers = append(answers, ports.BatchResult{Result: result, Err: err})
	case "stream":
		answers = append(answers, streamed(t.Context(), p, requests[0]))
	case "many":
		answers = p.FetchMany(t.Context(), requests)
	}

	for i, got := range answers {
		want, wantErr := a.model.Fetch(t.Context(), requests[i])
		if err := compareResults(got, ports.BatchResult{Result: want, Err: wantErr}); err != nil {
			r := requests[i]
			return fmt.Errorf("%s %s, quality %s, fill %s, at %s: %w", call, r, r.Quality, r.Fill, a.clock.Now(), err)
		}
	}

	return nil
}

func streamed(ctx context.Context, p process, r domain.DataRequest) ports.BatchResult {
	pieces, result := p.Stream(ctx, r)
	b := domain.NewSeriesBuilder(r.Key, 0)
	for piece, err := range pieces {
		if err == nil {
			err = b.AppendSeries(piece)
		}
		if err != nil {
			return ports.BatchResult{Err: err}
		}
	}

	bars, err := b.Series()
	answer := ports.BatchResult{Result: result(), Err: err}
	answer.Result.Series = bars

	return answer
}

// compareResults compares all of two results but which bars came from a cache.
func compareResults(got, want ports.BatchResult) error {
	if failure(got.Err) != failure(want.Err) {
		return fmt.Errorf("got %s, want %s", errorText(got.Err), errorText(want.Err))
	}
	if !got.Result.Series.Equal(want.Result.Series) {
		return fmt.Errorf("got %s, want %s", barsText(got.Result.Series), barsText(want.Result.Series))
	}

	gotText, err := withoutBars(got.Result)
	if err != nil {
		return err
	}

	wantText, err := withoutBars(want.Result)
	if err != nil {
		return err
	}
	if gotText != wantText {
		return fmt.Errorf("without the bars, got\n%s, want\n%s", gotText, wantText)
	}

	return nil
}

// errorText returns the text of an error, which may be nil.
func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// withoutBars returns the rest of a Result as JSON, without which bars came from a cache.
func withoutBars(r domain.Result) (string, error) {
	r.Series = domain.EmptySeries(domain.SeriesKey{Symbol: "A", Grid: domain.Minute1.UTC()})
	r.Provenance = slices.Clone(r.Provenance)
	for i := range r.Provenance {
		r.Provenance[i].Cached = false
	}
	text, err := json.Marshal(r)

	return string(text), err
}

// barsText returns the series with each bar on a line.
func barsText(s domain.Series) string {
	text := s.String()
	for _, b := range s.All() {
		text += "\n  " + b.String()
	}

	return text
}

// readCoverage compares the coverage and the latest bars of the symbols.
func (a *act) readCoverage(t *rapid.T) error {
	p := a.processes[rapid.IntRange(0, 1).Draw(t, "process")]
	symbol := a.symbol(rapid.SampledFrom(a.cast).Draw(t, "role"))
	if err := a.awaitWrites(t.Context()); err != nil {
		return err
	}

	want, wantErr := a.model.Latest(t.Context(), symbol)
	got, err := p.Latest(t.Context(), symbol)
	if fmt.Sprint(got) != fmt.Sprint(want) || failure(err) != failure(wantErr) {
		return fmt.Errorf("latest of %s: got %+v, %s; want %+v, %s", symbol, got, errorText(err), want, errorText(wantErr))
	}

	wantCoverage, wantErr := ports.Collect(a.model.Coverage(t.Context(), symbol))
	gotCoverage, err := ports.Collect(p.Coverage(t.Context(), symbol))
	if fmt.Sprint(gotCoverage) != fmt.Sprint(wantCoverage) || failure(err) != failure(wantErr) {
		return fmt.Errorf("coverage of %s: got %+v, %s; want %+v, %s",
			symbol, gotCoverage, errorText(err), wantCoverage, errorText(wantErr))
	}

	return nil
}
