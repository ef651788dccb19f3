"""Reading ahead: one short-lived thread makes the next items while the present one is worked on."""

import queue
import threading

DEPTH = 1  # items that wait, beside the one in work and the one being made
PATIENCE = 0.05  # seconds in which a thread usually ends
END = object()


def ahead(items, depth=DEPTH):
    """The items of an iterator, made in a thread; its errors are raised here, and closing this one ends the thread.

    An item None is none: the thread ends there, too, where an item is long in the making. With ``depth`` 0 the next
    item is made once the one before is taken, so that there are two at a time.
    """
    waiting, room, closed = queue.Queue(), threading.Semaphore(depth + 1), threading.Event()

    def work():
        found = END, None
        try:
            room.acquire()
            for item in items:
                if closed.is_set():
                    break
                if item is not None:
                    waiting.put((item, None))
                    room.acquire()
        except BaseException as error:
            found = END, error
        finally:
            waiting.put(found)
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
            room.release()
            yield item
    finally:
        # What is being read may take long, or wait for ever: Ctrl-C does not wait for it. The thread ends behind it.
        closed.set()
        room.release()
        thread.join(PATIENCE)
