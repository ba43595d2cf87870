package model

// A read goes as follows; of InfluxDB, two requests for points stand in the place of ReadBlocks.
//
//	idle ── TakeHead, under the lease ──────────────────────► reading ── ReadBlocks, ExtendByTail, Answer ──► (idle)
//	idle ── AskHead ──► asked ── AnswerHead ──► answered ── InstallHead ──► reading
//	                      ▲────────── ReadBlocks: another version ─────────────┘
//
// Content that any state ever had may come from memory, redis, chunks or a lagging replica at any time, and a hint may
// come late, never, or for nothing: the model needs no state for them, because only versions decide.
const idle, asked, answered, reading, readingLast uint8 = 0, 1, 2, 3, 4

type reader struct {
	at, oldest     uint8 // oldest is the first state that may be the answer
	current        bool  // the counter of the series is as it was when the question was sent
	asked          lease // runs from then
	head           store
	untold, points bars // what intents took without telling, so that nobody waits for it; read from InfluxDB
}

// lease is the time left on two clocks, in ticks. Both must have some.
type lease struct{ monotonic, wall int8 }

var full = lease{2, 2}

func ask(oldest uint8) reader              { return reader{at: asked, oldest: oldest, current: true, asked: full} }
func (s state) with(i int, r reader) state { s.readers[i] = r; return s }

// drop drops the installed head and raises the counter of the series: no answer that is under way installs.
func (s state) drop() state {
	s.installed, s.lease, s.readers[0].current, s.readers[1].current = store{}, lease{}, false, false
	return s
}

func (s state) elapse(monotonic, wall int8) state {
	for _, l := range [3]*lease{&s.lease, &s.readers[0].asked, &s.readers[1].asked} {
		*l = lease{min(max(l.monotonic-monotonic, 0), 2), min(max(l.wall-wall, 0), 2)}
	}
	if s.clockFailed = s.clockFailed || monotonic == 0; wall > 0 {
		s.ticks = [2]uint8{s.now, s.ticks[0]}
	}
	return s
}

// timePasses emits what may happen to a lease between the steps of a read.
func (m model) timePasses(s state, emit emitter) {
	emit(true, "this process", "ReceiveHint", s.drop())
	emit(true, "time", "Tick", s.elapse(1, 1))
	emit(m.clocks && !s.clockFailed, "time", "SetWallClockBack", s.elapse(0, -1))
	emit(m.clocks && !s.clockFailed, "time", "Suspend: the monotonic clock stands", s.elapse(0, 1))
	renewed, dropped, returned := s, s.drop(), s.drop()
	renewed.lease, dropped.dropped = full, true
	emit(m.hintRenews && s.installed != (store{}), "this process", "ReceiveHint, late", renewed)
	emit(m.dropsBeforeCommit && s.own == 0, "this process", "DropHead", dropped)
	if m.ownWriteKeepsHead || m.dropsBeforeCommit {
		returned = s
	}
	returned.own, returned.seen, returned.dropped = 0, max(s.seen, s.own), false
	emit(s.own != 0, "this process", "DropHead, return", returned)
}

func (m model) read(s state, i int, who string, emit emitter) {
	r := s.readers[i]
	switch {
	case r.at == idle:
		hasTime := (s.lease.monotonic > 0 || m.wallClockOnly) && (s.lease.wall > 0 || m.monotonicOnly)
		leased := hasTime && s.installed != (store{}) && !m.fresh
		emit(leased, who, "TakeHead", s.with(i, reader{at: reading, oldest: max(s.ticks[1], s.seen), head: s.installed}))
		emit(!leased, who, "AskHead", s.with(i, ask(s.now)))
	case r.at == asked:
		for _, w := range s.writers {
			if w.intent.live && !w.intent.told {
				r.untold |= w.intent.took
			}
		}
		for k := range s.now + 1 {
			r.at, r.head = answered, s.stores[k]
			emit(k == s.now || m.standbyHead, who, "AnswerHead", s.with(i, r))
		}
	case r.at == answered:
		// The answer installs if the counter is as it was when the question was sent. Else it extends the lease of an
		// equal head, and drops another one.
		l, t := r.asked, s.with(i, reader{at: reading, oldest: r.oldest, head: r.head, untold: r.untold})
		if m.leaseFromAnswer {
			l = full
		}
		if s.installed == r.head {
			t.lease = lease{max(s.lease.monotonic, l.monotonic), max(s.lease.wall, l.wall)}
		} else if t = t.drop(); r.current || m.installsAlways {
			t.installed, t.lease = r.head, l
		}
		emit(true, who, "InstallHead", t)
	case m.influx[0] != nil:
		m.readPoints(s, i, who, emit)
	default:
		emit(true, who, "ReadBlocks: another version", s.with(i, ask(r.oldest)))
		m.contents(s, r, 0, func(enabled bool, _ string, b0 bars) {
			m.contents(s, r, 1, func(both bool, step string, b1 bars) {
				m.answer(enabled && both, s, i, who, step, b0|b1, emit)
			})
		})
	}
}

// contents emits all bars that a reader may take for a block, and the step by which it came to them. Without a row it
// reads nothing, because a write and a deletion may lie between two times without one: the version tells nothing.
func (m model) contents(s state, r reader, b int, emit func(enabled bool, step string, b bars)) {
	want, latest, known := r.head.blocks[b], s.latest().blocks[b], s.stores[:s.now+1]
	hasRow := want != (block{}) || m.readsNoRow
	emit(!hasRow, "Answer without bars", 0)
	for j, source := range known {
		id, content := source.blocks[b].version, source.bars()&blockSlots[b]
		isRight := id == want.version || m.trimmedLog || m.noHead && j == int(s.now)
		emit(hasRow && isRight, "ReadBlocks from memory, redis, chunks, a replica or the store, Answer", content)
		// Head, bars and head as three statements see the states k <= j <= now, or break with the connection.
		for k := int(r.oldest); k <= j; k++ {
			isSame := latest.version == want.version && (k >= int(s.restored) || m.anotherConnection) || m.twoStatements
			isRead := isSame && known[k].blocks[b].version == want.version
			emit(hasRow && isRead, "ReadBlocks: head, bars, head; Answer", content)
		}
		if m.ringOfRevisions {
			id.nonce = id.revision
		}
		for _, tail := range known {
			later, isWanted := tail.bars(), tail.blocks[b].version == want.version
			if m.readsUncovered {
				later = tail.rows
			}
			inRing := want.inRing(id.nonce) || m.ringOfAnotherAnswer && latest.inRing(id.nonce)
			extended := later.with(upTo(content.last()), content) & blockSlots[b]
			emit(hasRow && b == 1 && inRing && isWanted, "ExtendByTail, Answer", extended)
		}
	}
}

// answer expects a state, from the oldest one that is allowed, with the head's coverage and these bars.
func (m model) answer(enabled bool, s state, i int, who, step string, b bars, emit emitter) {
	k, r, t := s.readers[i].oldest, s.readers[i], s.with(i, reader{})
	for k <= s.now && (s.stores[k].coverage != r.head.coverage || s.stores[k].bars() != b) {
		k++
	}
	t.seen = max(s.seen, k)
	emit(enabled && k <= s.now, who, step, t)
	emit(enabled && k > s.now, who, "WRONG answer: no state that the reader may see", s)
}
