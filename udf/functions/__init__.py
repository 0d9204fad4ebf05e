"""What SQL can call: functions and macros, and the border between Arrow and our values."""
