package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/pagetoken"
)

// restatedNote warns of a page whose pages before are out of date.
const restatedNote = "the data of the pages before this one changed since; " +
	"for all pages of one state, begin again without --page"

// pageFlags are the flags that request one page.
type pageFlags struct {
	size  count // 0: all remaining rows
	token string
	flags *pflag.FlagSet
}

func (p *pageFlags) register(flags *pflag.FlagSet) {
	p.flags = flags
	flags.Var(&p.size, "page-size", "print the first `n` rows, and the token of the next page")
	flags.StringVar(&p.token, "page", "",
		"continue after the page that printed this next page `token`; without --page-size, print all remaining rows")
}

// isSet reports whether a page is requested. An empty token requests the first page.
func (p *pageFlags) isSet() bool { return p.flags.Changed("page-size") || p.flags.Changed("page") }

// request returns the request for the page. whole is the request for all pages, r are its times as the user gave them.
func (p *pageFlags) request(whole domain.DataRequest, r rangeFlags) (domain.DataRequest, error) {
	if !p.isSet() {
		return whole, nil
	}
	if err := p.checkTimes(r, whole.Start, whole.End); err != nil {
		return whole, err
	}

	whole.First, whole.Paged = int(p.size), true
	if p.token == "" {
		return whole, nil
	}

	return pagetoken.Token(p.token).Resume(whole)
}

// tickRequest is request for trades or quotes.
func (p *pageFlags) tickRequest(
	kind domain.TickKind, whole domain.TickRequest, r rangeFlags,
) (domain.TickRequest, error) {
	if !p.isSet() {
		return whole, nil
	}
	if err := p.checkTimes(r, whole.Start, whole.End); err != nil {
		return whole, err
	}

	whole.First, whole.Paged = int(p.size), true
	if p.token == "" {
		return whole, nil
	}

	return pagetoken.Token(p.token).ResumeTicks(kind, whole)
}

func (p *pageFlags) checkTimes(r rangeFlags, start, end time.Time) error {
	if err := checkFixed(r.startName, r.start, start); err != nil {
		return err
	}

	return checkFixed(r.endName, r.end, end)
}

// checkFixed refuses a time that is relative to now, because it would differ from page to page.
func checkFixed(name, text string, t time.Time) error {
	if text != "now" && !strings.HasPrefix(text, "-") {
		return nil
	}

	return userErrorf("--%s %s changes from page to page; give --%s %s",
		name, text, name, stamp(t.Truncate(time.Second)))
}

// next returns how to continue after the page; nil where no page was requested.
func (p *pageFlags) next(whole domain.DataRequest, page domain.Result) (*nextPage, error) {
	return p.nextAt(page.Next, whole.End, page.Series.Len(), func() (pagetoken.Token, error) {
		whole.Paged = true
		return pagetoken.New(whole, page.Next, page.Checkpoint)
	})
}

// nextTicks is next for trades or quotes.
func nextTicks[T domain.Tick](
	p *pageFlags, kind domain.TickKind, whole domain.TickRequest, page domain.TickResult[T],
) (*nextPage, error) {
	return p.nextAt(page.Next, whole.End, page.Ticks.Len(), func() (pagetoken.Token, error) {
		whole.Paged = true
		return pagetoken.NewTicks(kind, whole, page.Next, page.Checkpoint)
	})
}

// nextAt is next for a page of so many rows of a request that ends at end, or with now where it is zero.
func (p *pageFlags) nextAt(
	next, end time.Time, rows int, newToken func() (pagetoken.Token, error),
) (*nextPage, error) {
	if !p.isSet() {
		return nil, nil
	}
	if !end.IsZero() && !next.Before(end) {
		return &nextPage{Complete: true}, nil
	}

	token, err := newToken()
	if err != nil {
		return nil, err
	}

	return &nextPage{Token: token, Complete: p.size == 0 || rows < int(p.size)}, nil
}

// nextPage says how to continue after a page. There is no token where the range ends with the page. Complete is false
// where there may be more rows now.
type nextPage struct {
	Token    pagetoken.Token `json:"next_page_token,omitempty"`
	Complete bool            `json:"complete"`
}

// print writes the token and the completeness on lines of their own, so that a script finds them.
func (n nextPage) print(w io.Writer) {
	if n.Token != "" {
		fmt.Fprintln(w, "next page token:", n.Token)
	}
	fmt.Fprintln(w, "complete:", n.Complete)
}
