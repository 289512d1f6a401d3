// SPDX-License-Identifier: GPL-3.0-or-later

package examples

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"einhyrningsins/bench/load"
)

// patience is how long a client waits for an answer before the datagram is lost:
// on the loopback nothing else loses one, while queues have room.
const patience = 5 * time.Second

func TestUDP(t *testing.T) {
	survivesUpgrades(t, server{
		needs:   []string{"python3"},
		bind:    "udp:127.0.0.1:0",
		options: []string{"-m"},
		program: []string{"python3", "udp-echo/echo.py"},
		traffic: udpTraffic,
		ask: func(_ context.Context, addr string) (string, error) {
			c, err := dialUDP(addr)
			if err != nil {
				return "", err
			}
			defer c.Close()
			return askUDP(c, "hello")
		},
	})
}

// udpTraffic has six clients, each with one datagram under way at a time and at
// most a hundred a second.
func udpTraffic(ctx context.Context, addr string, answered func()) (tally, error) {
	var (
		mu  sync.Mutex
		wg  sync.WaitGroup
		all = tally{kinds: make(map[load.Kind]int64)}
	)
	begun := time.Now()
	for client := range 6 {
		c, err := dialUDP(addr)
		if err != nil {
			return all, err
		}
		defer c.Close()
		wg.Go(func() {
			pace := time.NewTicker(10 * time.Millisecond)
			defer pace.Stop()
			for i := 0; ctx.Err() == nil; i++ {
				said := fmt.Sprintf("%d of %d", i, client)
				answer, err := askUDP(c, said)
				lost := err != nil || !strings.HasSuffix(answer, " "+said)
				mu.Lock()
				all.sent++
				if lost {
					all.lost++
					all.text += fmt.Sprintf("%q: %q, %v; ", said, answer, err)
				}
				mu.Unlock()
				if !lost {
					answered()
				}
				select {
				case <-pace.C:
				case <-ctx.Done():
				}
			}
		})
	}
	wg.Wait()
	all.text += fmt.Sprintf("%d datagrams in %v", all.sent, time.Since(begun).Round(time.Millisecond))
	return all, nil
}

func dialUDP(addr string) (net.Conn, error) {
	return net.Dial("udp", strings.TrimPrefix(addr, "udp:"))
}

func askUDP(c net.Conn, said string) (string, error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte(said)); err != nil {
		return "", err
	}
	b := make([]byte, 512)
	n, err := c.Read(b)
	return string(b[:n]), err
}
