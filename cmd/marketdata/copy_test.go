package main

import (
	"context"
	"io"
	"testing"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// cancelingDataset cancels the context at its second read.
type cancelingDataset struct {
	ingest.Dataset[domain.Series]

	cancel func()
	reads  int
}

func (d *cancelingDataset) Read(
	ctx context.Context, r domain.Range, limit int,
) (ingest.Page[domain.Series], error) {
	if d.reads++; d.reads == 2 {
		d.cancel()
	}

	return d.Dataset.Read(ctx, r, limit)
}

// A copy that is interrupted while it reads the second page reports the first one, which the target has.
func TestInterruptedCopyReportsCopiedRows(t *testing.T) {
	t.Parallel()
	from, to, bars := openFile(t, "from.db"), openFile(t, "to.db"), gen.FlatBars(minuteKey, minute(0), 10)
	if _, err := from.Ingest(t.Context(), bars, domain.Range{}, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	source := &cancelingDataset{Dataset: ingest.BarsOf(from, minuteKey), cancel: cancel}

	job := &copyJob{c: &command{err: io.Discard}, stores: endpoints{from: from, to: to, limits: readLimits{rows: 4}}}
	err := copyRanges(ctx, job, file.KindBars, copyTask[domain.Series]{
		from: source, to: ingest.BarsOf(to, minuteKey), ranges: []domain.Range{bars.Range()},
	})
	if exitCode(err) != exitInterrupted {
		t.Errorf("got %v", err)
	}
	const summary = "copied and compared: 4 rows of 1 series, the last one A/B 1m bars up to 2018-04-04T00:04:00Z; " +
		"run the same command again to continue"
	if got := job.summary(); got != summary {
		t.Errorf("the summary is %q; want %q", got, summary)
	}
	coverage, err := ports.Collect(to.Coverage(t.Context()))
	if err != nil || len(coverage) != 1 || !coverage[0].Range.End.Equal(minute(4)) {
		t.Errorf("the target covers %v, %v", coverage, err)
	}
}
