package model

// give emits the steps of a stream that gives a series in parts while others write. Before a part it may take any head
// that somebody may know, newer or older, where all that was given is the same.
func (m model) give(s state, emit emitter) {
	check := func(enabled bool, step string, t state) {
		head := t.stores[t.streamHead]
		isRight := head.bars()&t.given == t.bars && head.coverage&t.given == t.coverage
		emit(enabled && isRight, "stream", step, t)
		emit(enabled && !isRight, "stream", "WRONG part: the head has something else", t)
	}
	head, b := s.stores[s.streamHead], min(int(s.given), 1) // b is the block that the stream is in
	last := head.blocks[1].version
	if m.nonceOfFirstPart {
		last = s.stores[s.firstHead].blocks[1].version
	}
	for k, source := range s.stores[:s.now+1] {
		// TakeHead: equal versions of the blocks that were given, or in the ring for one given in part; equal coverage.
		t := s
		t.streamHead = uint8(k)
		inRing := s.given != 0xffff && source.blocks[1].inRing(last.nonce)
		sameFirst := s.given == 0 || head.blocks[0] == source.blocks[0] || m.ownBlockOnly && s.given > 0xf
		sameLast := s.given <= 0xf || last == source.blocks[1].version || inRing
		sameCoverage := (head.coverage^source.coverage)&s.given == 0 || m.ignoresCoverage
		check(sameFirst && sameLast && sameCoverage, "TakeHead", t)

		// GivePart: it ends with a bar, or before the last bar of its version, or with the block.
		for end := s.given.last() + 1; end <= 3*b; end++ {
			t, part, content := s, upTo(end)&^s.given, source.bars()&blockSlots[b]
			t.given, t.bars, t.coverage = s.given|part, s.bars|content&part, s.coverage|head.coverage&part
			if s.given <= 0xf {
				t.firstHead = s.streamHead
			}
			endsWell := end == 3*b || end <= content.last() || m.partEndsAtTime
			check(source.blocks[b].version == head.blocks[b].version && endsWell, "GivePart", t)
		}
	}
}
