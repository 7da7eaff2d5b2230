import CTallystickSQLite

enum Placeholder {}
