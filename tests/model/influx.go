package model

// A write to slots 1 and 2 in InfluxDB, whose coverage, hash and intents are in PostgreSQL, goes as follows, and from
// anywhere to idle by Die. While its intent has a slot, a writer may put what it wants or wanted there by WritePoints,
// alive or dead; it is a late request once another writer took the slot over, or the intent is finished.
//
//	idle ── ReadBlocks ──► prepared ── UncoverRange, InsertIntent ──► writing ── ReadBack ──► written ── FinishIntents
const prepared, writing, written uint8 = 1, 2, 3

// intent is a row of the table intents. It took what was covered, a deletion nothing; heads are told so.
type intent struct {
	live, told bool // live: it has not expired
	over, took bars
}

type writer struct {
	at, change uint8
	version    version // of the block, as it was read
	want       bars
	intent     intent
}

func (s state) writer(i int, w writer) state { s.writers[i] = w; return s }

func (m model) writePoints(s state, i int, who string, emit emitter) {
	w, stopped, expired, now := s.writers[i], s.writers[i], s.writers[i], s.latest()
	stopped.at, expired.intent.live = idle, false
	emit(w.intent.live && (m.pauses || w.at == idle), "time", "ExpireIntent", s.writer(i, expired))
	emit(w.at > prepared, who, "Die", s.writer(i, stopped))
	for _, slot := range [2]bars{0x00f0, 0x0f00} {
		t, isLate := s, w.intent.over&slot == 0
		t.points, t.excused = s.points.with(slot, w.want), s.excused || isLate
		emit(!isLate || m.late, who, "WritePoints", t)
	}
	before, hasRoom := now.bars(), s.now+1 < m.states
	if m.keepsLeftovers {
		before = s.points
	}
	for k, c := range m.influx[i] {
		isRight := (s.points^now.rows)&now.coverage == 0 || c.kind == "replace" && c.over == 0x0ff0
		next := writer{prepared, uint8(k), now.blocks[1].version, c.wanted(before, s.now+2+6*uint8(i)), w.intent}
		emit(w.at == idle && hasRoom && isRight, who, c.name, s.writer(i, next))
	}
	if w.at == idle {
		return
	}

	c, o, done := m.influx[i][w.change], s.writers[1-i].intent, w
	done.at = written
	isMine, after := w.intent.over == c.over || m.noFence, m.commit(now, now, c, w.want, s.now+2)
	emit(w.at == writing && (s.points^w.want)&c.over == 0, who, "ReadBack", s.writer(i, done))
	emit(w.at == written && isMine && hasRoom, who, "FinishIntents", s.writer(i, writer{}).add(after))

	// Transaction 1: the block must be as it was read; another live intent is waited for, a dead one loses the range.
	begins, isRead := w.at == prepared && hasRoom, w.version == now.blocks[1].version || m.comparesNothing
	keeps := c.kind == "write" && (w.want^now.bars())&c.over&^c.bars != 0
	emit(begins && !isRead, who, "UncoverRange: another version", s.writer(i, writer{intent: w.intent}))
	emit(begins && isRead && keeps, who, "WRONG write: keeps a bar that is not stored", s)
	w.at, w.intent = writing, intent{true, !m.tookMeansBars || now.bars()&c.over != 0, c.over, now.coverage & c.over}
	if c.kind == "uncover" {
		w.intent.took = 0
	}
	t := s.writer(i, w).add(m.commit(now, now, change{kind: "uncover", over: c.over}, 0, s.now+2))
	t.writers[1-i].intent = intent{o.live, o.told, o.over &^ c.over, o.took &^ c.over}
	emit(begins && isRead && (!o.live || o.over&c.over == 0), who, "UncoverRange, InsertIntent", t)
}

// readPoints reads slots 0 and 1, then slot 2, and compares them with the head's hash.
func (m model) readPoints(s state, i int, who string, emit emitter) {
	r, now := s.readers[i], s.latest()
	if r.at == reading {
		r.at, r.points = readingLast, s.points&0x00ff
		emit(true, who, "ReadPoints", s.with(i, r))
		return
	}

	r.points |= s.points & 0x0f00
	got := r.points & r.head.coverage
	isRight := got == r.head.bars() || m.counts && got.count() == r.head.bars().count()
	isSame := r.head.version == now.version || m.alarmByBlock && r.head.blocks == now.blocks ||
		m.alarmBeforeHead && r.points&now.coverage != now.bars()
	emit(isRight && r.untold != 0, who, "WRONG answer: nobody waited", s)
	emit(!isRight && isSame && !s.excused, who, "WRONG ErrCorruptData: every store is right", s)
	emit(!isRight && isSame, who, "VerifyHash, ErrCorruptData", s.with(i, reader{}))
	emit(!isRight && !isSame, who, "VerifyHash, AskHead", s.with(i, ask(r.oldest)))
	m.answer(isRight, s, i, who, "ReadPoints, VerifyHash, Answer", got, emit)
}
