/// Tests get the public helpers with these.
@_exported public import TallystickTestKit
