from tallystick.library.reading import open as open
from tallystick.library.reading import read_bytes as read_bytes
from tallystick.library.reading import read_text as read_text
from tallystick.library.training import log as log
from tallystick.library.training import params as params
from tallystick.library.training import seed_everything as seed_everything

__version__: str
