// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"log/slog"
	"testing"

	"einhyrningsins/internal/link"
)

func TestSettingsGoToEveryNextMaster(t *testing.T) {
	k := newTestKeeper(t)
	level := slog.LevelInfo
	k.setLevel = func(l slog.Level) { level = l }
	if hello, _ := k.runMaster(); hello.Settings != nil {
		t.Errorf("the first hello has the settings %s", hello.Settings)
	}
	k.send(&link.Live{}, &link.Settings{Data: []byte(`{"seconds":"2"}`), LogLevel: int(slog.LevelWarn)})
	if level != slog.LevelWarn {
		t.Errorf("the keeper logs %v and worse", level)
	}
	for range 2 {
		k.masterDies()
		hello, _ := k.runMaster()
		if string(hello.Settings) != `{"seconds":"2"}` {
			t.Errorf("the next master is told the settings %s", hello.Settings)
		}
	}
	k.send(&link.Settings{Data: []byte(`{}`), LogLevel: 1 << 30})
	if level != slog.LevelError {
		t.Errorf("a master gone bad can keep the keeper from logging errors: %v", level)
	}
}
