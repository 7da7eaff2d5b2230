// What a store is opened with, and the errors and values it gives, are declared below this module.
@_exported public import TallystickStorage
