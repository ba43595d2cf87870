package model

import (
	"fmt"
	"math/bits"
)

// bars has a hex digit for each of four slots of a series, slot 0 at the right: the number of the write that put a bar
// there, 0 for no bar. A set of slots, such as coverage, has the digit f. Slot 0 is a block, slots 1 to 3 are the last.
type bars uint16

var blockSlots = [2]bars{0x000f, 0xfff0}

func (b bars) with(set, c bars) bars { return b&^set | c&set }
func (b bars) slots() bars           { return (b | b>>1 | b>>2 | b>>3) & 0x1111 * 0xf }
func (b bars) count() int            { return bits.OnesCount16(uint16(b.slots())) }
func (b bars) first() int            { return bits.TrailingZeros16(uint16(b)) / 4 }
func (b bars) last() int             { return (bits.Len16(uint16(b))+3)/4 - 1 }
func upTo(slot int) bars             { return 1<<(4*slot+4) - 1 }

// version is of a series (its last write) or of a block (the last write that changed a covered bar of it).
type version struct{ revision, nonce uint8 }

// block is a row of the table blocks; the zero value is no row, because no bar is covered. ring, the column tail, has
// nonces of versions after which only later bars were added.
type block struct {
	version version
	ring    [2]uint8
}

func (b block) inRing(id uint8) bool { return id != 0 && (b.ring[0] == id || b.ring[1] == id) }

// store is one committed state of a series. INVARIANT: a row outside of the coverage is no bar. The rows of a head
// stand for the hash that PostgreSQL has of InfluxDB's points; only the check of the hash looks at them.
type store struct {
	version  version
	coverage bars
	blocks   [2]block
	rows     bars
}

func (s store) bars() bars { return s.rows & s.coverage }

// change is what a writer wants: bars and the range that they cover. A write keeps the covered bars of the range that
// it does not write, a replace does not; an uncover takes coverage away, for a deletion too, and leaves the rows.
type change struct {
	name, kind string
	bars, over bars
}

func to(kind string, b, over bars) change {
	return change{fmt.Sprintf("%s %04x over %04x", kind, b, over), kind, b, over}
}

// wanted returns the bars of the range after the change. A bar that was not covered counts as absent before.
func (c change) wanted(covered bars, id uint8) bars {
	if c.kind != "write" {
		covered = 0
	}
	return (covered & c.over).with(c.bars, bars(id)*0x1111)
}

// commit covers or uncovers the range and puts the wanted bars there, under the lock of the series. The nonce joins the
// ring if the first changed bar is later than the last covered one was, in lookedUp, which is s under the lock.
func (m model) commit(s, lookedUp store, c change, wanted bars, nonce uint8) store {
	t, ring := s, [2]uint8{nonce}
	if t.coverage, t.rows = s.coverage|c.over, s.rows.with(c.over, wanted); c.kind == "uncover" {
		t.coverage, t.rows = s.coverage&^c.over, s.rows
	}
	if t.bars() == s.bars() && t.coverage == s.coverage {
		return s // unchanged: rolled back
	}

	if t.version = (version{s.version.revision + 1, nonce}); m.versionIsRevision {
		t.version.nonce = 0
	}
	if m.ringOfRevisions {
		ring[0] = t.version.revision
	}
	for b, in := range blockSlots {
		before, after := s.bars()&in, t.bars()&in
		first, last := (before ^ after).first(), (lookedUp.bars() & in).last()
		if m.comparesWritten && c.bars != 0 {
			first = c.bars.first()
		}
		t.blocks[b] = block{t.version, ring}
		if first > last || m.atLastBarPushes && first == last || m.hidingPushes && c.kind == "uncover" ||
			m.updatePushes && before.slots() == after.slots() ||
			m.deletionPushes && c.kind == "replace" && after.slots() < before.slots() {
			t.blocks[b].ring[1] = s.blocks[b].ring[0]
		}
		if before == after {
			t.blocks[b] = s.blocks[b]
		} else if after == 0 {
			t.blocks[b] = block{}
		}
	}
	return t
}

func (s state) latest() store { return s.stores[s.now] }

func (s state) add(latest store) state {
	if latest != s.latest() && int(s.now)+1 < len(s.stores) {
		s.now++
		s.stores[s.now] = latest
	}
	return s
}

// commits emits every write to a transactional store, and the restore.
func (m model) commits(s state, emit emitter) {
	for k := uint8(0); k <= s.now && s.now+1 < m.states; k++ {
		t := s.add(s.stores[k])
		t.restored, t.excused, t.writers[0].intent, t.writers[1].intent = t.now, true, intent{}, intent{}
		emit(m.restore && s.restored == 0 && t.now > s.now, "store", "Restore, Failover", t)
		for _, c := range m.changes {
			t := s.add(m.commit(s.latest(), s.stores[k], c, c.wanted(s.latest().bars(), s.now+2), s.now+2))
			isWrite := t.now > s.now && (k == s.now || m.lastBarBeforeLock)
			emit(isWrite, "another process", c.name, t)
			t.own = t.now
			emit(isWrite && m.own && s.own == 0 && s.dropped == m.dropsBeforeCommit, "this process", c.name, t)
		}
	}
}
