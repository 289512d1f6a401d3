// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"log/slog"
	"os"
	"time"

	"einhyrningsins/internal/config"
)

func newLog(c *config.Config, who string) *tmpLog { lv := slog.LevelInfo; if c.Verbose { lv = slog.LevelDebug }; return &tmpLog{slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: lv})).With("who", who)} }

type tmpLog struct{ l *slog.Logger }

func (t *tmpLog) Logger() *slog.Logger { return t.l }
func (*tmpLog) Flush(time.Duration)     {}
