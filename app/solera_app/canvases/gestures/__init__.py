"""One object per mouse gesture: made at the press, told of every move, ended by the release or by Escape."""
