// Package model keeps the protocol of docs/architecture.md ("The state of a series") as a list of steps with their
// guards, and searches the states that they can reach. store.go has commits, the ring and restores, read.go heads,
// leases and content by version, influx.go a write over two stores, stream.go a read that is given in parts.
//
// Within the bounds of a scenario it proves: every answer equals the state after some prefix of the writes and is at
// most one lease old; a process never goes back and sees its own writes at once; nothing makes an uncovered range look
// covered; no ErrCorruptData is a false alarm. It leaves out the planner, ticks, packed blocks, the locks of batches,
// and durations: time is a step between any two others. With -v, TestVariantsFail prints the shortest counterexample of
// each broken rule: who takes which step, named as in the code; then the states. MARKETDATA_TEST_DEEP=1 searches longer.
package model

import (
	"fmt"
	"hash/maphash"
	"strings"
	"time"
)

// model is a scenario, and below the blank line the rules that it breaks.
type model struct {
	states        uint8       // the most states of the store
	second        bool        // a second reader; without it there is one
	own, clocks   bool        // the process of the readers writes too; its clocks fail once
	fresh, stream bool        // reads use no lease; the reader is a stream
	restore       bool        // a restore, or a failover that loses writes, once; of PostgreSQL alone, not of InfluxDB
	pauses, late  bool        // intents expire while their writers live; requests to InfluxDB are applied late
	changes       []change    // by any process
	influx        [2][]change // by each writer to InfluxDB

	leaseFromAnswer, hintRenews, wallClockOnly, monotonicOnly, installsAlways, ownWriteKeepsHead     bool
	dropsBeforeCommit, standbyHead, noHead, trimmedLog, twoStatements, anotherConnection, readsNoRow bool
	versionIsRevision, ringOfRevisions, ringOfAnotherAnswer, readsUncovered, lastBarBeforeLock       bool
	updatePushes, atLastBarPushes, deletionPushes, hidingPushes, comparesWritten                     bool
	noFence, keepsLeftovers, counts, comparesNothing, alarmBeforeHead, alarmByBlock, tookMeansBars   bool
	partEndsAtTime, nonceOfFirstPart, ignoresCoverage, ownBlockOnly                                  bool
}

// state is one state of everything. Two states are the same if == says so.
type state struct {
	stores               [6]store // every committed state; a restore adds the state that it goes back to
	now, restored        uint8    // the latest state; that of the restore, 0 for none
	ticks                [2]uint8 // the states at the last two ticks
	own, seen            uint8    // the state of an own write that has not returned; the latest state that was seen
	dropped, clockFailed bool
	installed            store
	lease                lease
	readers              [2]reader

	points                bars // in InfluxDB
	excused               bool // a late request was applied, or PostgreSQL restored alone: ErrCorruptData is right
	writers               [2]writer
	streamHead, firstHead uint8 // the states of the head of a stream, and of its head at the last block's first part
	given, bars, coverage bars  // the slots that the stream gave, and what it gave
}

// emitter receives each step from a state: its guard, who takes it, its name, and the state that it leads to. The
// name of a step that violates a property begins with "WRONG".
type emitter func(enabled bool, who, step string, to state)

func (m model) next(s state, emit emitter) {
	m.commits(s, emit)
	if m.stream {
		m.give(s, emit)
		return
	}
	if !m.fresh {
		m.timePasses(s, emit)
	}
	for i := range 2 {
		m.writePoints(s, i, [2]string{"writer 0", "writer 1"}[i], emit)
		if i == 0 || m.second {
			m.read(s, i, [2]string{"reader 0", "reader 1"}[i], emit)
		}
	}
}

// search visits the reachable states, the nearest first, until a step is wrong, all are visited, or the budget is spent
// and the wanted step was seen. It keeps 64-bit hashes: at ten million states, the odds of a confusion are 1 in 300,000.
func (m model) search(budget time.Duration, wanted string) (
	states, depth int, exhausted bool, steps map[string]int, trace []string) {
	type visit struct {
		from      uint64
		who, step string
	}
	seed, deadline, initial := maphash.MakeSeed(), time.Now().Add(budget), state{points: 0x11}
	steps, initial.stores[0] = map[string]int{}, m.commit(store{}, store{}, to("write", 0x11, 0xff), 0x11, 1)
	visited := map[uint64]visit{maphash.Comparable(seed, initial): {}}
	for frontier := []state{initial}; len(frontier) > 0; depth++ {
		var deeper []state
		for _, s := range frontier {
			if states = len(visited); trace != nil || states > 10_000_000 || steps[wanted] > 0 && time.Now().After(deadline) {
				return states, depth, false, steps, trace
			}

			from := maphash.Comparable(seed, s)
			m.next(s, func(enabled bool, who, step string, t state) {
				if !enabled || trace != nil {
					return
				}
				if steps[step]++; strings.HasPrefix(step, "WRONG") {
					trace = []string{who + ": " + step, fmt.Sprintf("stores %x, points %x", s.stores[:s.now+1], s.points)}
					for v := visited[from]; v.who != ""; v = visited[v.from] {
						trace = append([]string{v.who + ": " + v.step}, trace...)
					}
				}
				to := maphash.Comparable(seed, t)
				if _, known := visited[to]; !known {
					visited[to] = visit{from, who, step}
					deeper = append(deeper, t)
				}
			})
		}
		frontier = deeper
	}
	return states, depth, trace == nil, steps, trace
}
