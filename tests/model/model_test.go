package model

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Changes of one slot, of several, of coverage; two writers to InfluxDB with one change each.
var (
	slot0, slot1, slot2    = to("write", 0xf, 0xf), to("write", 0xf0, 0xf0), to("write", 0xf00, 0xf00)
	slot3, slot01, slot12  = to("write", 0xf000, 0xf000), to("write", 0xff, 0xff), to("write", 0xff0, 0xff0)
	cover12, cover123, gap = to("write", 0xf0, 0xff0), to("write", 0xf0, 0xfff0), to("write", 0xf000, 0xff00)
	keep1, keep2, empty1   = to("replace", 0xf0, 0xff0), to("replace", 0xf00, 0xff0), to("replace", 0, 0xf0)
	empty2, hide1, hide2   = to("replace", 0, 0xf00), to("uncover", 0, 0xf0), to("uncover", 0, 0xf00)
	all                    = []change{slot01, slot1, slot2, slot3, gap, keep1, keep2, hide1, hide2, cover123, empty2}
	points                 = []change{slot1, slot12, cover12, keep1, empty1, hide1}

	pair, merge, empty = [2][]change{{slot12}, {slot12}}, [2][]change{{slot12}, {cover12}}, [2][]change{{empty1}, {slot1}}
)

// run expects that each model reaches the step, and no violation but that. A model is named after its fields.
func run(t *testing.T, budget time.Duration, step string, models ...model) {
	for _, m := range models {
		fields := regexp.MustCompile(`\w+:true|states:\d`).FindAllString(fmt.Sprintf("%+v", m), -1)
		t.Run(strings.Join(fields, " "), func(t *testing.T) {
			states, depth, exhausted, steps, trace := m.search(budget, step)
			t.Logf("%d states to depth %d, exhausted: %v\n%s", states, depth, exhausted, strings.Join(trace, "\n"))
			if steps[step] == 0 || trace != nil && !strings.HasPrefix(step, "WRONG") {
				t.Errorf("expected the step %q, and no violation but that", step)
			}
		})
	}
}

func TestProtocolHolds(t *testing.T) {
	budget, more := 20*time.Second/9, uint8(0)
	if os.Getenv("MARKETDATA_TEST_DEEP") != "" {
		budget, more = 30*time.Second, 1
	}
	run(t, budget, "ExtendByTail, Answer", model{states: 4, changes: all},
		model{states: 4, changes: all, own: true, restore: true},
		model{states: 6, changes: []change{slot1, slot2, gap, hide2}, fresh: true, restore: true},
		model{states: 2 + more, changes: []change{slot01, slot2}, own: true, second: true},
		model{states: 3 + more, changes: []change{slot01, slot2}, clocks: true, restore: true})
	run(t, budget, "ReadPoints, VerifyHash, Answer",
		model{states: 4 + more, influx: pair, fresh: true, pauses: true},
		model{states: 5, influx: [2][]change{points, points}, fresh: true, pauses: true, late: true, restore: true})
	run(t, budget, "GivePart", model{states: 4, changes: all, stream: true},
		model{states: 4 + more, changes: all, stream: true, restore: true})
}

func TestVariantsFail(t *testing.T) {
	one, again, grow := []change{slot01}, []change{slot1}, []change{slot2}
	run(t, time.Minute, "WRONG answer: no state that the reader may see",
		model{states: 2, changes: one, leaseFromAnswer: true}, model{states: 2, changes: one, hintRenews: true},
		model{states: 2, changes: one, clocks: true, wallClockOnly: true},
		model{states: 2, changes: one, clocks: true, monotonicOnly: true},
		model{states: 2, changes: one, standbyHead: true}, model{states: 2, changes: one, second: true, installsAlways: true},
		model{states: 2, changes: one, own: true, ownWriteKeepsHead: true},
		model{states: 2, changes: one, own: true, dropsBeforeCommit: true}, model{states: 2, changes: one, noHead: true},
		model{states: 2, changes: one, trimmedLog: true}, model{states: 2, changes: one, twoStatements: true},
		model{states: 4, changes: one, restore: true, anotherConnection: true},
		model{states: 4, changes: []change{slot1, hide1}, readsNoRow: true},
		model{states: 5, changes: []change{slot01, slot1}, restore: true, versionIsRevision: true},
		model{states: 5, changes: []change{slot2, slot1}, restore: true, ringOfRevisions: true},
		model{states: 5, changes: []change{slot2, hide2, slot3}, readsUncovered: true},
		model{states: 4, changes: grow, ringOfAnotherAnswer: true}, model{states: 4, changes: grow, lastBarBeforeLock: true},
		model{states: 2, changes: again, updatePushes: true}, model{states: 2, changes: again, atLastBarPushes: true},
		model{states: 4, changes: []change{slot2, keep1}, deletionPushes: true},
		model{states: 4, changes: []change{slot2, hide2}, hidingPushes: true},
		model{states: 3, changes: []change{keep2}, comparesWritten: true}, model{states: 4, influx: pair, counts: true},
		model{states: 2, influx: pair, counts: true, late: true}, model{states: 4, influx: pair, counts: true, restore: true})
	run(t, time.Minute, "WRONG write: keeps a bar that is not stored",
		model{states: 5, influx: merge, keepsLeftovers: true}, model{states: 5, influx: merge, comparesNothing: true})
	run(t, time.Minute, "WRONG ErrCorruptData: every store is right",
		model{states: 5, influx: pair, fresh: true, pauses: true, noFence: true},
		model{states: 4, influx: pair, fresh: true, alarmBeforeHead: true},
		model{states: 4, influx: empty, fresh: true, alarmByBlock: true})
	run(t, time.Minute, "WRONG answer: nobody waited", model{states: 4, influx: empty, fresh: true, tookMeansBars: true})
	run(t, time.Minute, "WRONG part: the head has something else",
		model{states: 4, changes: []change{cover123, slot2}, stream: true, partEndsAtTime: true},
		model{states: 6, changes: []change{slot1, slot2, slot3}, stream: true, restore: true, nonceOfFirstPart: true},
		model{states: 3, changes: []change{empty2}, stream: true, ignoresCoverage: true},
		model{states: 3, changes: []change{slot0}, stream: true, ownBlockOnly: true})
}
