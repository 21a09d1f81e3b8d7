;;; A person at Emacs who has the page's configuration. Says on standard output how far they are,
;;; and reads a line of standard input before going on.  -*- lexical-binding: t -*-

;; Without its site files, Emacs doesn't look where Debian has its packages.
(require 'package)
(add-to-list 'package-directory-list "/usr/share/emacs/site-lisp/elpa")
(package-initialize)
(require 'cl-lib)
(require 'eglot)
(load (getenv "FORGE_TEST_CONFIGURATION") nil t)

(setq make-backup-files nil
      auto-save-default nil
      create-lockfiles nil
      eglot-sync-connect 60
      ;; A list, as it is without a person, would have eglot open a menu of the window system.
      last-nonmenu-event ?x)

(defun person-wait (holds)
  "Until HOLDS gives something, which is the answer."
  (let ((end (+ (float-time) 60)) (found nil))
    (while (not (setq found (funcall holds)))
      (when (> (float-time) end)
        (error "It did not come about: %S" holds))
      ;; eglot tells of changes when nobody types for a moment, which Emacs knows only of keys.
      (eglot--signal-textDocument/didChange)
      (accept-process-output nil 0.05))
    found))

(defun person-tell (what)
  "Say WHAT, and go on when told to."
  (princ (concat what "\n"))
  (read-from-minibuffer ""))

(defun person-is-offered (title)
  "Whether there is a code action of that TITLE at point."
  (cl-find title (eglot-code-actions (point) (point))
           :key (lambda (action) (plist-get action :title)) :test #'equal))

(defun person-takes (title)
  "Choose the code action of that TITLE from those at point, and say yes to what is asked."
  (cl-letf (((symbol-function 'completing-read)
             (lambda (_ choices &rest _) (or (car (assoc title choices)) (error "%S" choices))))
            ((symbol-function 'y-or-n-p) #'always))
    (call-interactively #'eglot-code-actions)))

(find-file "src/Counter.tsx")
(call-interactively #'eglot)
(search-forward "reset")
(let ((before (buffer-string)))
  (person-takes "Forge: do this")
  (person-wait (lambda () (person-is-offered "Forge: accept all")))
  (unless (equal (buffer-string) before)
    (error "Something was changed that nobody reviewed"))
  (person-tell (plist-get (forge "forge.sandbox.status") :url))

  (cl-letf (((symbol-function 'y-or-n-p) #'always))
    (person-takes "Forge: accept all")
    (person-wait (lambda () (not (equal (buffer-string) before))))
    (person-wait (lambda () (not (person-is-offered "Forge: accept all"))))
    (save-some-buffers t)
    (person-tell "accepted")

    (forge "forge.undo")
    (person-wait (lambda () (equal (buffer-string) before)))
    (save-some-buffers t)
    (person-tell "undone")))
(eglot-shutdown (eglot-current-server))
