// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"einhyrningsins/internal/wire"
)

// pupil sends numbered requests in pieces and checks its answers.
type pupil struct {
	*client
	name  string
	rand  *rand.Rand
	sent  int // requests
	long  int // overlong lines
	bytes []byte
}

func newPupil(r *relay, n int) *pupil {
	p := &pupil{client: r.dial(), name: fmt.Sprintf("p%d", n), rand: rand.New(rand.NewPCG(uint64(n), 1))}
	_ = p.SetDeadline(time.Now().Add(4 * patience)) // much at once
	var b strings.Builder
	for i := range 40 {
		switch p.rand.IntN(12) {
		case 0:
			p.long++
			b.WriteString(strings.Repeat("x", wire.MaxLine+p.rand.IntN(2*wire.MaxLine)) + "\n")
		case 1:
			b.WriteString("\r\n")
		}
		kind := []string{"now", "now", "now", "hold", "leave", "big"}[p.rand.IntN(6)]
		fmt.Fprintf(&b, `{"command":%q,"args":[%q],"id":%d}`, kind, p.name, i)
		p.sent++
		if i < 39 || p.rand.IntN(2) == 0 { // the last line may lack its end
			b.WriteString("\n")
		}
	}
	p.bytes = []byte(b.String())
	return p
}

func (p *pupil) ask() error {
	for rest := p.bytes; len(rest) > 0; {
		n := min(1+p.rand.IntN(1+p.rand.IntN(20_000)), len(rest))
		if _, err := p.Write(rest[:n]); err != nil {
			return fmt.Errorf("%s cannot ask: %w", p.name, err)
		}
		rest = rest[n:]
	}
	return p.CloseWrite()
}

// listen reads to the end; what is answered at once must come in order.
func (p *pupil) listen() error {
	in := bufio.NewReaderSize(p.client, 64)
	seen, last, long := map[int]bool{}, -1, 0
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			break
		}
		if err != nil {
			return fmt.Errorf("%s has %d of %d answers: %w", p.name, len(seen), p.sent, err)
		}
		if strings.Contains(string(line), "longer than") {
			long++
			continue
		}
		var reply struct {
			ID      int    `json:"request_id"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal(line, &reply); err != nil {
			return fmt.Errorf("%s got %.100q: %w", p.name, line, err)
		}
		word, rest, _ := strings.Cut(reply.Message, " ")
		switch {
		case seen[reply.ID]:
			return fmt.Errorf("%s got a second answer to %d", p.name, reply.ID)
		case (word == "now" || word == "big") && reply.ID < last:
			return fmt.Errorf("%s got %d after %d", p.name, reply.ID, last)
		case word == "big" && len(rest) != bigAnswer:
			return fmt.Errorf("%s got %d bytes", p.name, len(rest))
		case word == "now", word == "big":
			last = reply.ID
		}
		seen[reply.ID] = true
	}
	if len(seen) != p.sent || long != p.long {
		return fmt.Errorf("%s got %d of %d answers, %d of %d refusals", p.name, len(seen), p.sent, long, p.long)
	}
	return nil
}

const bigAnswer = 20_000

// teacher is the loop.
type teacher struct {
	*relay
	rand  *rand.Rand
	hand  []*Call        // not answered yet
	taken map[string]int // newest request of each pupil that was no repetition
	moves int
}

func (m *teacher) take(k *Call) {
	var id int
	_ = json.Unmarshal(k.ID, &id)
	name := k.Args[0]
	newest, any := m.taken[name]
	again := any && id <= newest
	switch {
	case again && k.Command != "hold" && k.Command != "leave":
		m.t.Errorf("%s: %s %d came again", name, k.Command, id)
	case (k.Carried != nil) != (again && k.Command == "hold"):
		m.t.Errorf("%s: %s %d came with %s, again: %v", name, k.Command, id, k.Carried, again)
	case !again && any && id != newest+1:
		m.t.Errorf("%s: %d came after %d", name, id, newest)
	}
	if !again {
		m.taken[name] = id
	}
	switch k.Command {
	case "hold":
		k.Carry(name)
		m.hand = append(m.hand, k)
	case "leave":
		m.hand = append(m.hand, k)
	case "big":
		k.Answer("big "+strings.Repeat("z", bigAnswer), nil)
	default:
		k.Answer(k.Command, nil)
	}
}

func (m *teacher) move() {
	m.moves++
	switch m.rand.IntN(3) {
	case 0:
		m.stay()
	default:
		m.handOver()
		m.hand = nil // all of it comes again
	}
}

func TestHandOverStorm(t *testing.T) {
	m := &teacher{relay: newRelay(t), rand: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2)), taken: map[string]int{}}
	var wg sync.WaitGroup
	errs := make(chan error, 100)
	for i := range 16 {
		p := newPupil(m.relay, i)
		wg.Go(func() { errs <- p.ask() })
		wg.Go(func() { errs <- p.listen() })
	}
	over := make(chan struct{})
	go func() { wg.Wait(); close(over) }()
	for open := true; open; {
		if m.rand.IntN(8) == 0 {
			m.move()
		}
		if len(m.hand) > 0 && m.rand.IntN(2) == 0 {
			i := m.rand.IntN(len(m.hand))
			m.hand[i].Answer(m.hand[i].Command, nil)
			m.hand = append(m.hand[:i], m.hand[i+1:]...)
			continue
		}
		var idle <-chan time.Time
		if len(m.hand) > 0 {
			idle = time.After(time.Millisecond) // the rest waits for what we hold
		}
		select {
		case k := <-m.srv.Calls():
			m.take(k)
		case <-idle:
		case <-over:
			open = false
		}
	}
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d moves", m.moves)
	if m.moves < 50 {
		t.Errorf("only %d moves", m.moves)
	}
}
