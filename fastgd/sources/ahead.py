"""Reading ahead: one short-lived thread makes the next items while the present one is worked on."""

import queue
import threading

DEPTH = 1  # items that wait, beside the one in work and the one being made
PATIENCE = 0.05  # seconds in which a thread usually ends
END = object()


def ahead(items, depth=DEPTH):
    """The items of an iterator, made in a thread; its errors are raised here. Closing this one ends the thread."""
    waiting, closed = queue.Queue(depth), threading.Event()

    def put(item):
        while not closed.is_set():
            try:
                waiting.put(item, timeout=0.05)
                return True
            except queue.Full:
                continue
        return False

    def work():
        try:
            for item in items:
                if not put((item, None)):
                    break
            put((END, None))
        except BaseException as error:
            put((END, error))
        finally:
            if hasattr(items, "close"):
                items.close()

    thread = threading.Thread(target=work, daemon=True, name="fastgd reads ahead")
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is END:
                return
            yield item
    finally:
        # What is being read may take long, or wait for ever: Ctrl-C does not wait for it. The thread ends behind it.
        closed.set()
        thread.join(PATIENCE)
