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
			Symbol: a.symbol(role), Grid: mustGrid(rapid.SampledFrom(role.asked).Draw(t, "grid")),
			PriceType: rapid.SampledFrom(role.kinds).Draw(t, "kind"),
		},
		Quality: rapid.SampledFrom([]domain.QualityPolicy{domain.QualityFail, domain.QualityDrop, domain.QualityFlag}).Draw(t, "policy"),
		Fill:    rapid.SampledFrom([]domain.FillPolicy{domain.FillNone, domain.FillPrevious}).Draw(t, "fill"),
	}
	if rapid.IntRange(0, 19).Draw(t, "unknown") == 19 {
		r.Key.Symbol = "NO/SUCH"
	}
	asked := a.drawRange(t, mustGrid(role.stored[0]))
	off := time.Duration(rapid.SampledFrom([]int64{0, 0, 1, 17_000_000}).Draw(t, "off")) * time.Microsecond
	if rapid.IntRange(0, 3).Draw(t, "open start") < 3 {
		r.Start = asked.Start.Add(off)
	}
	if rapid.Bool().Draw(t, "ends") {
		r.End = asked.End.Add(off)
	}
	switch rapid.IntRange(0, 3).Draw(t, "limit") {
	case 1:
		r.First = rapid.IntRange(1, slots).Draw(t, "first")
	case 2:
		r.Last = rapid.IntRange(1, slots).Draw(t, "last")
	}

	return r
}

// fetch compares the answers of a process that heard of every write, however it is asked.
func (a *act) fetch(t *rapid.T) error {
	p := a.processes[rapid.IntRange(0, 1).Draw(t, "process")]
	requests := []domain.DataRequest{a.drawRequest(t)}
	how := rapid.SampledFrom([]string{"fetch", "fetch", "stream", "many"}).Draw(t, "how")
	if how == "many" {
		requests = append(requests, a.drawRequest(t), a.drawRequest(t), a.drawRequest(t))
	}
	if err := a.settle(t.Context()); err != nil {
		return err
	}

	var answers []ports.BatchResult
	switch how {
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
		if err := same(got, ports.BatchResult{Result: want, Err: wantErr}); err != nil {
			return fmt.Errorf("%s %s, quality %s, fill %s, at %s: %w", how, requests[i], requests[i].Quality, requests[i].Fill, a.clock.Now(), err)
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

// same compares two answers whole: all but what of it came from a cache.
func same(got, want ports.BatchResult) error {
	if failure(got.Err) != failure(want.Err) {
		return fmt.Errorf("got %s, want %s", said(got.Err), said(want.Err))
	}
	if !got.Result.Series.Equal(want.Result.Series) {
		return fmt.Errorf("got %s, want %s", listed(got.Result.Series), listed(want.Result.Series))
	}

	gotText, err := beside(got.Result)
	if err != nil {
		return err
	}

	wantText, err := beside(want.Result)
	if err != nil {
		return err
	}
	if gotText != wantText {
		return fmt.Errorf("beside the bars, got\n%s, want\n%s", gotText, wantText)
	}

	return nil
}

// said is an error, or that there is none.
func said(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// beside is what a Result says beside its bars, but for what of it came from a cache.
func beside(r domain.Result) (string, error) {
	r.Series = domain.Series{}
	r.Provenance = slices.Clone(r.Provenance)
	for i := range r.Provenance {
		r.Provenance[i].Cached = false
	}
	text, err := json.Marshal(struct {
		domain.Result
		Series struct{} `json:"series"`
	}{Result: r})

	return string(text), err
}

func listed(s domain.Series) string {
	text := s.String()
	for _, b := range s.All() {
		text += "\n  " + b.String()
	}
	return text
}

// look compares what both tell of what is held.
func (a *act) look(t *rapid.T) error {
	p := a.processes[rapid.IntRange(0, 1).Draw(t, "process")]
	symbol := a.symbol(rapid.SampledFrom(a.cast).Draw(t, "role"))
	if err := a.settle(t.Context()); err != nil {
		return err
	}

	want, wantErr := a.model.Latest(t.Context(), symbol)
	got, err := p.Latest(t.Context(), symbol)
	if fmt.Sprint(got) != fmt.Sprint(want) || failure(err) != failure(wantErr) {
		return fmt.Errorf("latest of %s: got %+v, %s; want %+v, %s", symbol, got, said(err), want, said(wantErr))
	}

	held, wantErr := a.model.Coverage(t.Context(), symbol)
	has, err := p.Coverage(t.Context(), symbol)
	if fmt.Sprint(has) != fmt.Sprint(held) || failure(err) != failure(wantErr) {
		return fmt.Errorf("coverage of %s: got %+v, %s; want %+v, %s", symbol, has, said(err), held, said(wantErr))
	}

	return nil
}
