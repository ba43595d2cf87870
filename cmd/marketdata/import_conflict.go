package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/ports"
)

// conflictPolicies are the values of --on-conflict.
var conflictPolicies = map[string]ports.ConflictPolicy{
	"fail": ports.ConflictFail, "replace": ports.ConflictReplace, "keep": ports.ConflictKeep,
}

// conflictFlag is the value of --on-conflict; its zero value is fail.
type conflictFlag struct{ policy ports.ConflictPolicy }

// String returns the word of the policy.
func (f *conflictFlag) String() string {
	for word, policy := range conflictPolicies {
		if policy == f.policy {
			return word
		}
	}

	return ""
}

// Set parses the word.
func (f *conflictFlag) Set(word string) error {
	policy, ok := conflictPolicies[word]
	if !ok {
		return errors.New("give one of fail, replace, keep")
	}

	f.policy = policy

	return nil
}

// Type returns the name of the value in the help.
func (f *conflictFlag) Type() string { return "policy" }

// conflictHint follows the error of a conflict.
const conflictHint = "--on-conflict replace overwrites the stored rows, --on-conflict keep leaves them; " +
	"a wrong --time-zone, --symbol or --frequency shows as a difference, too"

// preview reports the effect of an import of the file. A conflict under the policy fail is an error.
func (j *importJob) preview(ctx context.Context, in *input) error {
	found, err := j.compare(ctx, in, func(r importReport) error {
		if j.o.onConflict.policy == ports.ConflictKeep {
			r.Kept, r.Changed = r.Changed, 0
		}
		j.reports = append(j.reports, r)

		return r.checkRows()
	})
	if err != nil || j.o.onConflict.policy != ports.ConflictFail {
		return err
	}

	return differenceError(in, found)
}

// mayConflict reports whether rows of the file may be stored already. Standard input cannot be read twice to find out.
func (j *importJob) mayConflict(ctx context.Context, in *input) (bool, error) {
	if in.name == standardInput || j.o.onConflict.policy != ports.ConflictFail {
		return false, nil
	}

	for _, to := range j.targets {
		if coverage, err := to.coverage(ctx, j.md); err != nil || len(coverage) > 0 {
			return true, err
		}
	}

	return false, nil
}

// requireNoConflict returns an error if a row of the file is stored with other values.
func (j *importJob) requireNoConflict(ctx context.Context, in *input) error {
	j.rejected.pause()
	defer j.rejected.resume()
	found, err := j.compare(ctx, in, func(importReport) error { return nil })
	if err != nil {
		return err
	}

	return differenceError(in, found)
}

// compare compares the rows of the file with the stored ones. It passes the report of each series to report.
func (j *importJob) compare(ctx context.Context, in *input, report func(importReport) error) (ingest.Preview, error) {
	var found ingest.Preview
	for _, to := range j.targets {
		before := j.rejected.total()
		r, err := j.passSeries(in, to, func(b batch) (ports.WriteReport, error) {
			preview, err := b.preview(ctx)
			found = found.Add(preview)

			return preview.WriteReport, err
		})
		if err != nil {
			return found, err
		}

		r.Rejected = j.rejected.total() - before
		if err := report(r); err != nil {
			return found, err
		}
	}

	return found, nil
}

// differenceError returns the error of a file of which rows are stored with other values, or nil.
func differenceError(in *input, found ingest.Preview) error {
	conflict := found.Conflict()
	if conflict == nil {
		return nil
	}

	return fmt.Errorf("%s: %w\nstored %s\nfile   %s\n%s", in.name, conflict, found.Stored, found.Written, conflictHint)
}

// explainConflict adds the hint to the error of a write that met rows with other values.
func explainConflict(err error) error {
	if conflict := (*ports.ConflictError)(nil); errors.As(err, &conflict) {
		return fmt.Errorf("%w\n%s", err, conflictHint)
	}

	return err
}
