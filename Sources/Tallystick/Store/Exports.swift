// The options with which a store is opened, and the errors and values it returns, are declared below this module.
@_exported public import TallystickStorage
